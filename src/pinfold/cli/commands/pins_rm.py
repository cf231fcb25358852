"""``pinfold pins rm``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.remote import open_server


def command(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Ids of requests, or CIDs for all requests of each.")],
) -> None:
    """Take pin requests back.

    Content that nothing else needs is unpinned there; files keep theirs.

    Example:
      pinfold pins rm bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
    """
    with open_server() as server:
        for one in ids:
            server.unpin(one)
            output.line(f"removed {output.printable(one)}")
