"""``pinfold files rm``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.remote import open_server


def command(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Ids of files, or CIDs for all files of each.")],
) -> None:
    """Delete files from the server.

    Content that no other file and no pin needs is unpinned there.

    Example:
      pinfold files rm bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
    """
    with open_server() as server:
        for one in ids:
            server.delete_file(one)
            output.line(f"deleted {output.printable(one)}")
