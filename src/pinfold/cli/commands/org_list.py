"""``pinfold org list``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinfold.cli import output
from pinfold.cli.administering import administer, fields_of, shown
from pinfold.cli.options import DataDir, Json

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.accounts.records import Organisation


def command(as_json: Json = False, data_dir: DataDir = None) -> None:
    """List the organisations of this server, newest first.

    Columns are slug, plan, status and name.

    --json prints {"id", "name", "slug", "plan", "status", "quota_bytes", "quota_files", "quota_pins",
    "quota_requests_per_day", "created_at", "updated_at"} for each.

    Example:
      pinfold org list
    """

    async def all_of_them(admin: Administration) -> list[Organisation]:
        return await admin.organisations_of(None)

    found = administer(data_dir, all_of_them)
    if as_json:
        for one in found:
            output.json_line(fields_of(one))
    else:
        output.columns([(one.slug, one.plan, one.status, shown(one.name)) for one in found])
