"""``pinfold org create``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.administering import administer, fields_of, shown
from pinfold.cli.options import DataDir, Json

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.accounts.records import Organisation


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it.")],
    slug: Annotated[
        str | None, typer.Option("--slug", metavar="SLUG", help="A short name for commands.  Default: from the name.")
    ] = None,
    plan: Annotated[str, typer.Option("--plan", metavar="PLAN", help="Its limits and quotas.")] = "unlimited",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Make an organisation, with nobody in it yet.

    It has no limits unless --plan names others (`pinfold plan list`).

    --json prints {"id", "name", "slug", "plan"}.

    Example:
      pinfold org create "Acme Research" --plan free
    """

    async def create(admin: Administration) -> Organisation:
        from pinfold.services.accounts import operator

        return await admin.organisations.create(operator(""), name, slug, plan)

    made = administer(data_dir, create)
    if as_json:
        output.json_line(fields_of(made, "id", "name", "slug", "plan"))
    else:
        output.line(f"created {made.slug} ({shown(made.name)}) on plan {made.plan}")
