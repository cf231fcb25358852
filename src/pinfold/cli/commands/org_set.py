"""``pinfold org set``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pinfold.cli import output
from pinfold.cli.administering import administer, quotas
from pinfold.cli.options import DataDir, usage_error

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.accounts.records import Organisation

_QUOTA = "or none for the plan's."


def command(
    org: Annotated[str, typer.Argument(metavar="SLUG", help="The organisation.")],
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="What people call it.")] = None,
    plan: Annotated[str | None, typer.Option("--plan", metavar="PLAN", help="Its limits and quotas.")] = None,
    quota_bytes: Annotated[
        str | None, typer.Option(metavar="BYTES", help=f"What it may keep, such as 50GiB, {_QUOTA}")
    ] = None,
    quota_files: Annotated[str | None, typer.Option(metavar="N", help=f"Files, {_QUOTA}")] = None,
    quota_pins: Annotated[str | None, typer.Option(metavar="N", help=f"Pin requests, {_QUOTA}")] = None,
    quota_requests_per_day: Annotated[str | None, typer.Option(metavar="N", help=f"Requests a day, {_QUOTA}")] = None,
    data_dir: DataDir = None,
) -> None:
    """Change an organisation's name, plan or quotas.

    It holds from the next request on.

    Example:
      pinfold org set acme-research --quota-bytes 50GiB --quota-files none
    """
    values: dict[str, Any] = {key: text for key, text in (("name", name), ("plan", plan)) if text is not None}
    values |= quotas(quota_bytes, quota_files, quota_pins, quota_requests_per_day)
    if not values:
        raise usage_error("say what to change; --help lists it")
    output.line(f"changed {change_organisation(org, values, data_dir).slug}")


def change_organisation(org: str, values: dict[str, Any], data_dir: DataDir) -> Organisation:
    """The organisation with these values."""

    async def update(admin: Administration) -> Organisation:
        from pinfold.services.accounts import operator

        found = await admin.organisation(org)
        return await admin.organisations.update(operator(found.id), found.id, values)

    return administer(data_dir, update)
