"""``pinfold pin forget``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.administering import Org, administer
from pinfold.cli.options import DataDir

if TYPE_CHECKING:
    from pinfold.app.administration import Administration


def command(
    ids: Annotated[
        list[str], typer.Argument(metavar="ID", help="Ids of requests, as `pinfold pin requests` has them.")
    ],
    org: Org = None,
    data_dir: DataDir = None,
) -> None:
    """Take back pin requests of an organisation.

    Content that no file and no other request needs is unpinned by the worker, at once or when one runs; gc gives the
    space back.  A request that an upload made goes with its file: `pinfold file rm`.

    Example:
      pinfold pin forget 01a1fa81-16a2-7f23-add5-4a0763bfe827 --org acme-research
    """

    async def forget(admin: Administration) -> None:
        caller = await admin.caller(org)
        for one in ids:
            gone = await admin.pins.forget(caller, one)
            output.line(f"forgot {gone.id} {gone.cid}")

    administer(data_dir, forget)
