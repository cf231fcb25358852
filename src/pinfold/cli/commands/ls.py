"""``pinfold ls``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.options import ContentPathArguments, DataDir, Json, open_node

if TYPE_CHECKING:
    from pinfold.node.model import DirEntry


def command(
    paths: ContentPathArguments,
    headers: Annotated[bool, typer.Option("--headers", "-v", help="Print column headers.")] = False,
    size: Annotated[bool, typer.Option(help="Print sizes.")] = True,
    stream: Annotated[bool, typer.Option("--stream", "-s", help="Print at once, neither sorted nor aligned.")] = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List what is in a folder.

    Columns are CID, size and name; folders end in / and have no size.  Names are sorted by their bytes.

    --json prints {"name", "cid", "size_bytes", "kind"} for each entry.

    Example:
      pinfold ls bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
      pinfold ls --json bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
    """
    with open_node(data_dir) as node:
        for number, path in enumerate(paths):
            entries: Iterable[DirEntry] = node.ls(path)
            if not stream:
                entries = sorted(entries, key=lambda entry: entry.name.encode("utf-8", "surrogateescape"))
            if as_json:
                for entry in entries:
                    output.json_line({**entry._asdict(), "cid": str(entry.cid)})
                continue
            if len(paths) > 1:
                output.line(("\n" if number else "") + f"{path}:")
            rows = (_row(entry, size) for entry in entries)
            heading = [("Hash", "Size", "Name") if size else ("Hash", "Name")] if headers else []
            if stream:
                for row in (*heading, *rows) if heading else rows:
                    output.line(" ".join(row))
            else:
                output.columns([*heading, *rows])


def _row(entry: DirEntry, size: bool) -> tuple[str, ...]:
    is_folder = entry.kind == "directory"
    name = output.printable(entry.name) + ("/" if is_folder else "")
    if not size:
        return str(entry.cid), name
    return str(entry.cid), "-" if is_folder else str(entry.size_bytes), name
