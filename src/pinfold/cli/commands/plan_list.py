"""``pinfold plan list``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinfold.cli import output
from pinfold.cli.administering import administer, fields_of
from pinfold.cli.options import DataDir, Json

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.accounts.records import Plan


def command(as_json: Json = False, data_dir: DataDir = None) -> None:
    """List the plans of this server, by name.

    Columns are name; uploads and requests of one token in a window, and the window's seconds; then what an organisation
    may keep and ask: bytes, files, pins, and requests a day.  "-" (in JSON null) is no limit.

    --json prints {"name", "uploads_per_window", "requests_per_window", "window_s", "quota_bytes", "quota_files",
    "quota_pins", "quota_requests_per_day"} for each.

    Example:
      pinfold plan list
    """

    async def all_of_them(admin: Administration) -> list[Plan]:
        from pinfold.services.accounts import operator

        return await admin.organisations.plans(operator(""))

    found = administer(data_dir, all_of_them)
    if as_json:
        for one in found:
            output.json_line(fields_of(one))
        return
    rows: list[tuple[str, ...]] = [
        ("name", "uploads", "requests", "window", "bytes", "files", "pins", "requests/day"),
    ]
    for one in found:
        rates = (_limit(one.uploads_per_window), _limit(one.requests_per_window), f"{one.window_s} s")
        size = "-" if one.quota_bytes is None else output.size(one.quota_bytes)
        counts = (_limit(one.quota_files), _limit(one.quota_pins), _limit(one.quota_requests_per_day))
        rows.append((one.name, *rates, size, *counts))
    output.columns(rows)


def _limit(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
