"""``pinfold file list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.administering import Org, administer, shown
from pinfold.cli.options import DataDir, Json, Quiet

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.files.model import FileRecord

_PAGE = 500


def command(
    org: Org = None,
    search: Annotated[
        str, typer.Option("--search", metavar="TEXT", help="Only names that contain this.", show_default=False)
    ] = "",
    tags: Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="Only with this; repeatable.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="At most so many.")] = 100,
    quiet: Quiet = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List an organisation's files, newest first.

    Columns are CID, status of the pin, size, time (UTC) and name.

    --json prints {"id", "cid", "name", "size_bytes", "content_type", "tags", "pin_status", "created_at"} for each file.

    Example:
      pinfold file list --search photo --limit 20
    """

    async def newest(admin: Administration) -> list[FileRecord]:
        from pinfold.db.file_filters import FileFilter, Sort

        caller, files = await admin.caller(org), await admin.files()
        wanted = FileFilter(search=search, tags=tuple(tags or ()))
        found: list[FileRecord] = []
        after = None
        while len(found) < limit:
            page = await files.page(caller, wanted, Sort.CREATED_AT, min(_PAGE, limit - len(found)), after=after)
            found += page.files
            after = page.next_after
            if after is None:
                break
        return found

    for one in administer(data_dir, newest):
        if as_json:
            output.json_line(file_fields(one))
        elif quiet:
            output.line(str(one.cid))
        else:
            size = output.size(one.size_bytes)
            output.line(f"{one.cid} {one.pin_status:<7} {size:>9} {shown(one.created_at)} {shown(one.name)}")


def file_fields(one: FileRecord) -> dict[str, output.Json]:
    """One file as JSON."""
    return {
        "id": one.id,
        "cid": str(one.cid),
        "name": one.name,
        "size_bytes": one.size_bytes,
        "content_type": one.content_type,
        "tags": list(one.tags),
        "pin_status": str(one.pin_status),
        "created_at": one.created_at.isoformat(),
    }
