"""``pinfold pin update``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.options import DataDir, Json, open_node


def command(
    old: Annotated[str, typer.Argument(metavar="OLD", help="What is pinned recursively now.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="What shall be pinned instead.")],
    unpin: Annotated[bool, typer.Option(help="Remove the old pin.")] = True,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Move a recursive pin from one root to another.

    --json prints {"old", "new"}.

    Example:
      pinfold pin update bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24 \\
        bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am
    """
    with open_node(data_dir) as node:
        before, after = node.pin_update(old, new, unpin=unpin)
    if as_json:
        output.json_line({"old": str(before), "new": str(after)})
    else:
        output.line(f"updated {before} to {after}")
