"""``pinfold file show``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.administering import Org, administer, described
from pinfold.cli.commands.file_list import file_fields
from pinfold.cli.options import DataDir, Json

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.files.model import FileRecord


def command(
    key: Annotated[str, typer.Argument(metavar="ID", help="The file's id, or its CID.")],
    org: Org = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Show what is known of one file.

    --json prints {"id", "cid", "name", "size_bytes", "content_type", "tags", "pin_status", "created_at"}.

    Example:
      pinfold file show bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
    """

    async def show(admin: Administration) -> FileRecord:
        caller = await admin.caller(org)
        return await (await admin.files()).get(caller, key)

    found = administer(data_dir, show)
    if as_json:
        output.json_line(file_fields(found))
        return
    described(
        [
            ("name", found.name),
            ("id", found.id),
            ("CID", found.cid),
            ("size", output.both_sizes(found.size_bytes)),
            ("type", found.content_type),
            ("tags", ", ".join(found.tags) or None),
            ("profile", found.profile or None),
            ("pin", found.pin_status),
            ("error", found.pin_error),
            ("uploaded", found.created_at),
        ]
    )
