"""``pinfold token revoke``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.administering import Org, administer
from pinfold.cli.options import DataDir

if TYPE_CHECKING:
    from pinfold.app.administration import Administration


def command(
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Ids of tokens, as `pinfold token list` has them.")],
    org: Org = None,
    data_dir: DataDir = None,
) -> None:
    """End tokens: from this moment on nobody can use them.

    Example:
      pinfold token revoke 01a1fa81-16a2-7f23-add5-4a0763bfe827
    """

    async def revoke(admin: Administration) -> None:
        caller = await admin.caller(org)
        for one in ids:
            await admin.tokens.revoke(caller, one)
            output.line(f"revoked {output.printable(one)}")

    administer(data_dir, revoke)
