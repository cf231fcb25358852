"""``pinfold add``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from pinfold.cli import output
from pinfold.cli.options import DataDir, Json, ShowProgress, byte_size, hash_code, open_node, usage_error
from pinfold.cli.progress import ProgressBar

if TYPE_CHECKING:
    from pinfold.node.model import Added


def command(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH", help="Files and folders; - or none is standard input.")
    ] = None,
    profile: Annotated[
        str, typer.Option(metavar="NAME", help="unixfs-v1-2025 or unixfs-v0-2015 (what Kubo does by default).")
    ] = "unixfs-v1-2025",
    cid_version: Annotated[
        int | None, typer.Option(metavar="N", min=0, max=1, help="Make CIDs of this version.")
    ] = None,
    raw_leaves: Annotated[
        bool | None,
        typer.Option("--raw-leaves/--no-raw-leaves", help="Store chunks as raw blocks.", show_default=False),
    ] = None,
    chunker: Annotated[
        str | None, typer.Option("--chunker", "-s", metavar="HOW", help="size-N, rabin, rabin-MIN-AVG-MAX or buzhash.")
    ] = None,
    trickle: Annotated[bool, typer.Option("--trickle", "-t", help="Lay files out as trickle DAGs.")] = False,
    max_file_links: Annotated[int | None, typer.Option(metavar="N", help="Links in one node of a file.")] = None,
    hamt_threshold: Annotated[
        str | None, typer.Option(metavar="BYTES", help="Shard folders above this; 262144 or 256KiB.")
    ] = None,
    hash_name: Annotated[
        str | None, typer.Option("--hash", metavar="NAME", help="sha2-256, sha2-512, sha3-256, blake2b-256, blake3 ...")
    ] = None,
    inline: Annotated[bool, typer.Option("--inline", help="Put small blocks into their CIDs.")] = False,
    inline_limit: Annotated[int | None, typer.Option(metavar="BYTES", help="The largest block to put there.")] = None,
    only_hash: Annotated[bool, typer.Option("--only-hash", "-n", help="Compute CIDs and store nothing.")] = False,
    pin: Annotated[bool, typer.Option(help="Pin the roots, so that gc keeps them.")] = True,
    pin_name: Annotated[str, typer.Option(metavar="NAME", help="A name for the pins.")] = "",
    wrap: Annotated[bool, typer.Option("--wrap", "-w", help="Put everything into one new folder.")] = False,
    hidden: Annotated[bool, typer.Option("--hidden", "-H", help="Take names that begin with a dot, too.")] = False,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Leave out what matches, as in .gitignore; repeatable.")
    ] = None,
    ignore_file: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="A file of such patterns; repeatable.")
    ] = None,
    preserve_mode: Annotated[bool, typer.Option("--preserve-mode", help="Keep permissions.")] = False,
    preserve_mtime: Annotated[bool, typer.Option("--preserve-mtime", help="Keep times of change.")] = False,
    stdin_name: Annotated[str, typer.Option(metavar="NAME", help="The name of what comes by standard input.")] = "",
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Implied; taken for Kubo's sake.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print CIDs only, the root last.")] = False,
    quieter: Annotated[bool, typer.Option("--quieter", "-Q", help="Print the root's CID only.")] = False,
    as_json: Json = False,
    progress: ShowProgress = None,
    data_dir: DataDir = None,
) -> None:
    """Add files and folders, pin them, and print their CIDs.

    Entries are printed as they come, the root last: `added CID NAME`.  When the root is printed, everything below it
    is stored durably and pinned.  Symbolic links are added as links.  The data folder of a node is left out.

    --json prints {"path", "cid", "size_bytes", "file_bytes", "kind", "is_root"} for each entry; size_bytes counts all
    blocks, file_bytes the content.

    Example:
      pinfold add hello.txt
      pinfold add --wrap --pin-name trip photos hello.txt
      echo hello | pinfold add -Q
    """
    from pinfold.node.model import AddOptions
    from pinfold.unixfs.profile import profile as profile_of

    from_stdin = not paths or paths == ["-"]
    if not from_stdin and paths and "-" in paths:
        raise usage_error("standard input (-) cannot be added together with paths")
    if not paths and sys.stdin.isatty():
        raise usage_error("give a PATH, or pipe something into standard input")
    options = AddOptions(
        profile=profile_of(
            profile,
            cid_version=cid_version,
            raw_leaves=raw_leaves,
            chunker=chunker,
            layout="trickle" if trickle else None,
            max_file_links=max_file_links,
            hamt_threshold=None if hamt_threshold is None else byte_size(hamt_threshold),
            hash_code=None if hash_name is None else hash_code(hash_name),
            inline=inline or None,
            inline_limit=inline_limit,
        ),
        pin=pin,
        pin_name=pin_name,
        only_hash=only_hash,
        wrap=wrap,
        hidden=hidden,
        ignore=tuple(ignore or ()),
        ignore_files=tuple(ignore_file or ()),
        preserve_mode=preserve_mode,
        preserve_mtime=preserve_mtime,
    )
    left_out: list[str] = []
    with open_node(data_dir) as node, ProgressBar(shown=progress) as bar:
        if from_stdin:
            stream: BinaryIO = sys.stdin.buffer
            entries = iter([node.add_stream(stream, options, name=stdin_name, progress=bar.update)])
        else:
            entries = node.add(
                [Path(path) for path in paths or ()], options, progress=bar.update, left_out=left_out.extend
            )
        for entry in entries:
            if quieter and not entry.is_root:
                continue
            bar.clear()
            _print(entry, as_json=as_json, cid_only=quiet or quieter)
            if entry.is_root:
                sys.stdout.flush()  # whoever reads this through a pipe may act on it now
    for sentence in left_out:
        output.note(output.printable(sentence))


def _print(entry: Added, *, as_json: bool, cid_only: bool) -> None:
    if as_json:
        output.json_line({**entry._asdict(), "cid": str(entry.cid)})
    elif cid_only:
        output.line(str(entry.cid))
    else:
        output.line(f"added {entry.cid} {output.printable(entry.path)}")
