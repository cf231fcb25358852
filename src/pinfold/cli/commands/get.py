"""``pinfold get``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.files import replaced_when_whole
from pinfold.cli.options import ContentPathArgument, DataDir, ShowProgress, open_node, usage_error
from pinfold.cli.progress import ProgressBar

if TYPE_CHECKING:
    from pinfold import Node
    from pinfold.core.content_path import ContentPath

_DEFAULT_LEVEL = 6  # gzip's own


def command(
    path: ContentPathArgument,
    out: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Where to; - is standard output for archives.")
    ] = None,
    archive: Annotated[bool, typer.Option("--archive", "-a", help="Write a tar archive.")] = False,
    compress: Annotated[bool, typer.Option("--compress", "-C", help="Compress with gzip.")] = False,
    level: Annotated[
        int | None, typer.Option("--compression-level", "-l", metavar="N", min=1, max=9, help="How hard to compress.")
    ] = None,
    progress: ShowProgress = None,
    data_dir: DataDir = None,
) -> None:
    """Write a file or folder to disk.

    Without --output it is named as the last part of the path.  A folder that is there already is written into.

    Example:
      pinfold get -o copy.txt bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am
      pinfold get --archive --compress -o copy.tar.gz bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am
    """
    from pinfold.core.content_path import ContentPath

    if level is not None:
        compress = True
    if out == "-" and not (archive or compress):
        raise usage_error("only archives can go to standard output; add --archive, or use `pinfold cat`")
    content_path = ContentPath.parse(path)
    name = content_path.segments[-1] if content_path.segments else str(content_path.root)
    with open_node(data_dir) as node, ProgressBar(shown=progress) as bar:
        if archive or compress:
            _archive(
                node, content_path, name, out, archive=archive, level=(level or _DEFAULT_LEVEL) if compress else None
            )
            return
        target = Path(out) if out else Path(_safe(name))
        if target.is_dir() and node.file_info(content_path).kind in ("file", "raw"):
            target = target / _safe(name)
        node.get(content_path, target, progress=bar.update)
        bar.clear()
        output.line(f"Saving file(s) to {output.printable(str(target))}")


def _archive(node: Node, path: ContentPath, name: str, out: str | None, *, archive: bool, level: int | None) -> None:
    is_folder = node.file_info(path).kind in ("directory", "hamt")
    as_tar = archive or is_folder  # gzip alone holds one file
    if out == "-":
        output.binary_stdout("an archive")
        node.get_archive(path, sys.stdout.buffer, compress=level, archive=as_tar)
        return
    suffix = (".tar" if as_tar else "") + (".gz" if level else "")
    target = Path(out or _safe(name))
    if not target.name.endswith(suffix):
        target = target.with_name(target.name + suffix)
    with replaced_when_whole(target) as stream:
        node.get_archive(path, stream, compress=level, archive=as_tar)
    output.line(f"Saving archive to {output.printable(str(target))}")


def _safe(name: str) -> str:
    """The name, once it names something in this folder.  Raises: UnsafeName."""
    from pinfold.core.errors import UnsafeName

    if name in ("", ".", "..") or "/" in name or "\0" in name or os.sep in name:
        raise UnsafeName(f"{name!r} is no name to write to; choose one with --output")
    return name
