"""``pinfold file rm``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.administering import Org, administer
from pinfold.cli.options import DataDir

if TYPE_CHECKING:
    from pinfold.app.administration import Administration


def command(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Ids of files, or CIDs for all files of each.")],
    org: Org = None,
    data_dir: DataDir = None,
) -> None:
    """Delete files of an organisation.

    Content that no other file and no pin needs is unpinned by the worker, at once or when one runs; gc gives the space
    back.

    Example:
      pinfold file rm bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
    """

    async def remove(admin: Administration) -> None:
        caller, files = await admin.caller(org), await admin.files()
        for one in ids:
            for gone in await files.delete(caller, one):
                output.line(f"deleted {gone}")

    administer(data_dir, remove)
