"""``pinfold token list``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinfold.cli import output
from pinfold.cli.administering import Org, administer, fields_of, shown
from pinfold.cli.options import DataDir, Json

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.accounts.records import Token


def command(org: Org = None, as_json: Json = False, data_dir: DataDir = None) -> None:
    """List an organisation's tokens, newest first.

    Columns are id, first characters, kind, expiry, last use (UTC), name and scopes.

    --json prints {"id", "user_id", "kind", "name", "shown_prefix", "scopes", "expires_at", "uses_left",
    "last_used_at", "created_at"} for each.

    Example:
      pinfold token list
    """

    async def all_of_them(admin: Administration) -> list[Token]:
        from pinfold.app.administration import every

        caller = await admin.caller(org)
        return [one async for one in every(lambda page: admin.tokens.page(caller, page), lambda one: one.id)]

    found = administer(data_dir, all_of_them)
    if as_json:
        for one in found:
            output.json_line(fields_of(one))
        return
    rows = []
    for one in found:
        times = (shown(one.expires_at), shown(one.last_used_at))
        rows.append((one.id, f"{shown(one.shown_prefix)}…", one.kind, *times, shown(one.name), " ".join(one.scopes)))
    output.columns(rows)
