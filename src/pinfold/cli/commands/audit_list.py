"""``pinfold audit list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pinfold.cli import output
from pinfold.cli.administering import Org, administer, fields_of, moment, shown
from pinfold.cli.options import DataDir, Json

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.audit.service import AuditRecord


def command(
    org: Org = None,
    action: Annotated[
        str | None, typer.Option("--action", metavar="NAME", help="Only this, such as file.created, or file for all.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Only from here on.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="At most so many.")] = 100,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List what was done in an organisation, newest first.

    Columns are number, time (UTC), who, from where, what, the id of what was changed, and its name with what else is
    known of the change.  Wrong passwords are `session.refused`, in the organisation that the user joined first.

    --json prints {"number", "at", "actor_kind", "actor_id", "actor_name", "action", "target", "address", "request_id",
    "detail", "hash", "previous_hash"} for each.

    Example:
      pinfold audit list --action token --limit 20
    """
    from_then = moment(since, "--since")

    async def newest(admin: Administration) -> list[AuditRecord]:
        from pinfold.app.administration import every
        from pinfold.db.audit import Filter

        caller, wanted = await admin.caller(org), Filter(action=action, since=from_then)
        found: list[AuditRecord] = []
        async for one in every(lambda page: admin.audit.page(caller, page, wanted), lambda one: one.number):
            found.append(one)
            if len(found) == limit:
                break
        return found

    found = administer(data_dir, newest)
    if as_json:
        for one in found:
            output.json_line({**fields_of(one), "detail": one.detail})
        return
    rows = []
    for one in found:
        who = (shown(one.actor_name), shown(one.address or None))
        rows.append((str(one.number), shown(one.at), *who, one.action, shown(one.target), _described(one.detail)))
    output.columns(rows)


def _described(detail: dict[str, Any]) -> str:
    """The name of what was changed, then all else, short."""
    name = next((key for key in ("name", "email", "url", "cid") if detail.get(key)), None)
    rest = [f"{key}={_short(value)}" for key, value in detail.items() if key != name and value is not None]
    return " ".join([shown(detail[name]) if name is not None else "-", *rest])


def _short(value: object) -> str:
    return ",".join(map(shown, value)) if isinstance(value, list) else shown(value)
