"""``pinfold pin requests``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pinfold.cli import output
from pinfold.cli.administering import administer, fields_of, shown
from pinfold.cli.options import DataDir, Json, Quiet

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.pins.oversight import Owned


def command(
    org: Annotated[
        str | None, typer.Option("--org", metavar="SLUG", help="Only this organisation's.  Default: of all.")
    ] = None,
    status: Annotated[
        Literal["queued", "pinning", "pinned", "failed"] | None, typer.Option("--status", help="Only these.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="TEXT", help="Only names that contain this.")] = None,
    files: Annotated[bool, typer.Option("--files", help="Also the requests that uploads made.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="At most so many.")] = 100,
    quiet: Quiet = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List what organisations asked this server to pin, newest first.

    Columns are id, status, CID, organisation and name.  `pinfold pin ls` lists what the node of this data folder keeps.

    --json prints {"id", "organisation", "cid", "name", "status", "error", "of_file", "created_at", "updated_at",
    "expires_at"} for each request.

    Example:
      pinfold pin requests
      pinfold pin requests --org acme-research --status failed --name trip
    """

    async def newest(admin: Administration) -> list[Owned]:
        from pinfold.db.pin_lists import Match, PinFilter
        from pinfold.services.accounts import operator

        statuses = frozenset({status} if status else ())
        wanted = PinFilter(name=name or None, match=Match.IPARTIAL, statuses=statuses, with_files=files)
        return await admin.pins.newest(operator(""), await admin.organisations_of(org), wanted, limit)

    found = administer(data_dir, newest)
    if as_json:
        for one in found:
            output.json_line(request_fields(one))
    elif quiet:
        for cid in dict.fromkeys(one.request.cid for one in found):
            output.line(str(cid))
    else:
        output.columns([row_of(one) for one in found])


def request_fields(one: Owned) -> dict[str, output.Json]:
    """One request as JSON."""
    request = one.request
    return {
        "id": request.id,
        "organisation": one.organisation,
        "cid": str(request.cid),
        "name": request.name,
        "status": str(request.status),
        "error": request.error,
        **fields_of(request, "of_file", "created_at", "updated_at", "expires_at"),
    }


def row_of(one: Owned) -> tuple[str, ...]:
    """One request in columns."""
    request = one.request
    return request.id, str(request.status), str(request.cid), one.organisation, shown(request.name)
