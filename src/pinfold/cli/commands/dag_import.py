"""``pinfold dag import``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.files import binary_input
from pinfold.cli.options import DataDir, Json, ShowProgress, open_node
from pinfold.cli.progress import ProgressBar

if TYPE_CHECKING:
    from pinfold.node.model import Imported


def command(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE", help="CAR files; - or none is standard input.")
    ] = None,
    pin_roots: Annotated[bool, typer.Option(help="Pin the roots that the CAR names.")] = True,
    pin_name: Annotated[str, typer.Option(metavar="NAME", help="A name for the pins.")] = "",
    stats: Annotated[bool, typer.Option("--stats", help="Print how much was imported.")] = False,
    silent: Annotated[bool, typer.Option("--silent", help="Print nothing.")] = False,
    as_json: Json = False,
    progress: ShowProgress = None,
    data_dir: DataDir = None,
) -> None:
    """Import CAR files, every block verified.

    CARv1 and CARv2, with any number of roots.  A file that is refused leaves no block behind.

    --json prints {"file", "roots", "pinned", "blocks", "new_blocks", "bytes"} for each file.

    Example:
      pinfold dag import --stats hello.car
      pinfold dag export bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am | pinfold dag import
    """
    blocks = size = 0
    with open_node(data_dir) as node, ProgressBar(shown=progress) as bar:
        for name in files or ["-"]:
            with binary_input(name) as stream:
                imported = node.dag_import(stream, pin_roots=pin_roots, pin_name=pin_name, progress=bar.update)
            bar.clear()
            blocks += imported.blocks
            size += imported.bytes
            if not silent:
                _print(name, imported, as_json)
            sys.stdout.flush()
    if stats and not silent and not as_json:
        output.line(f"Imported {blocks} blocks ({size} bytes)")


def _print(name: str, imported: Imported, as_json: bool) -> None:
    if not as_json:
        for root in imported.pinned:
            output.line(f"Pinned root\t{root}\tsuccess")
        return
    output.json_line(
        {
            "file": name,
            "roots": [str(root) for root in imported.roots],
            "pinned": [str(root) for root in imported.pinned],
            "blocks": imported.blocks,
            "new_blocks": imported.new_blocks,
            "bytes": imported.bytes,
        }
    )
