"""``pinfold plan set``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pinfold.cli import output
from pinfold.cli.administering import administer, quota, quotas
from pinfold.cli.options import DataDir, usage_error

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.accounts.records import Plan

_NONE: Final = "or none for no limit."
_MOST_IN_A_WINDOW: Final = (1 << 31) - 1  # the column's


def command(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="The plan; a name that there is not yet makes one.")],
    uploads_per_window: Annotated[
        str | None, typer.Option(metavar="N", help=f"Uploads of an organisation in a window, {_NONE}")
    ] = None,
    requests_per_window: Annotated[
        str | None, typer.Option(metavar="N", help=f"Requests of an organisation in a window, {_NONE}")
    ] = None,
    window_s: Annotated[
        int | None, typer.Option("--window", min=1, max=86_400, metavar="SECONDS", help="How long a window is.")
    ] = None,
    quota_bytes: Annotated[
        str | None, typer.Option(metavar="BYTES", help=f"What an organisation may keep, such as 50GiB, {_NONE}")
    ] = None,
    quota_files: Annotated[str | None, typer.Option(metavar="N", help=f"Files, {_NONE}")] = None,
    quota_pins: Annotated[str | None, typer.Option(metavar="N", help=f"Pin requests, {_NONE}")] = None,
    quota_requests_per_day: Annotated[str | None, typer.Option(metavar="N", help=f"Requests a day, {_NONE}")] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a plan, or change its limits and quotas.

    What is left out stays; a new plan has no limits but those given, and windows of 900 seconds.  It holds for all
    organisations on the plan from the next request on, where they have no quota of their own.

    Example:
      pinfold plan set research --quota-bytes 500GiB --quota-pins 10000 --requests-per-window none
      pinfold plan set free --uploads-per-window 20
    """
    values: dict[str, Any] = {}
    for key, text in (("uploads_per_window", uploads_per_window), ("requests_per_window", requests_per_window)):
        if text is not None:
            values[key] = quota(text, most=_MOST_IN_A_WINDOW)
    if window_s is not None:
        values["window_s"] = window_s
    values |= quotas(quota_bytes, quota_files, quota_pins, quota_requests_per_day)
    if not values:
        raise usage_error("say what to set; --help lists it")

    async def change(admin: Administration) -> tuple[Plan, bool]:
        return await admin.organisations.change_plan(await admin.somewhere(), plan, values)

    changed, is_new = administer(data_dir, change)
    output.line(f"{'made' if is_new else 'changed'} {changed.name}")
