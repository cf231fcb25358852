"""``pinfold usage show``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.administering import Org, administer, fields_of, shown
from pinfold.cli.options import DataDir, Json

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.usage.model import Day


def command(
    org: Org = None,
    days: Annotated[int, typer.Option("--days", min=1, max=366, metavar="N", help="So many days back.")] = 30,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Show what an organisation keeps and does, day by day (UTC), today as it is now.

    Columns are day, files, pins, logical, unique and shared bytes, uploads, requests, and what the gateway served.
    Unique and shared bytes are measured from time to time: standard error says when they were last.  "-" (in JSON null)
    says that they were not yet.

    --json prints {"day", "files", "pins", "logical_bytes", "unique_bytes", "shared_bytes", "measured_at", "uploads",
    "uploaded_bytes", "requests", "gateway_requests", "gateway_egress_bytes"} for each day.

    Example:
      pinfold usage show --days 7
    """

    async def show(admin: Administration) -> list[Day]:
        from pinfold.services.clock import utc_now

        today = utc_now().date()
        usage = await admin.usage()
        return await usage.days(await admin.caller(org), today - timedelta(days=days - 1), today)

    found = administer(data_dir, show)
    if as_json:
        for one in found:
            output.json_line({"day": one.day.isoformat(), **fields_of(one.kept), **fields_of(one.done)})
        return
    rows: list[tuple[str, ...]] = [
        ("day", "files", "pins", "logical", "unique", "shared", "uploads", "requests", "served")
    ]
    for one in found:
        kept, done = one.kept, one.done
        sizes = map(_size, (kept.logical_bytes, kept.unique_bytes, kept.shared_bytes))
        counts = (f"{kept.files:,}", f"{kept.pins:,}")
        served = output.size(done.gateway_egress_bytes)
        rows.append((shown(one.day), *counts, *sizes, f"{done.uploads:,}", f"{done.requests:,}", served))
    output.columns(rows)
    measured = [one.kept.measured_at for one in found if one.kept.measured_at is not None]
    if measured:
        output.note(f"Unique and shared bytes were measured at {shown(max(measured))} UTC.")
    else:
        output.note("Unique and shared bytes have not been measured yet; a running worker does so from time to time.")


def _size(size_bytes: int | None) -> str:
    return "-" if size_bytes is None else output.size(size_bytes)
