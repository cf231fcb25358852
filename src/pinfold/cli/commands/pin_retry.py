"""``pinfold pin retry``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.administering import administer
from pinfold.cli.commands.pin_requests import request_fields
from pinfold.cli.options import DataDir, Json

if TYPE_CHECKING:
    from pinfold.app.administration import Administration


def command(
    keys: Annotated[list[str], typer.Argument(metavar="ID", help="Ids of requests, or CIDs for all requests of each.")],
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Have failed pin requests tried afresh.

    They are queued again, those as well that a quota stopped and those that uploads made; the worker looks at them at
    once, or when one runs.  Requests that did not fail are left as they are.

    --json prints {"id", "organisation", "cid", "name", "status", "error", "of_file", "created_at", "updated_at",
    "expires_at"} for each request that is tried afresh.

    Example:
      pinfold pin retry bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
      pinfold pin requests --status failed --quiet | xargs -r pinfold pin retry
    """

    async def retry(admin: Administration) -> None:
        from pinfold.services.accounts import operator

        for key in keys:
            tried, left = await admin.pins.retry(operator(""), key)
            for one in tried:
                if as_json:
                    output.json_line(request_fields(one))
                else:
                    output.line(f"retrying {one.request.id} {one.request.cid}")
            if not tried:
                statuses = " and ".join(sorted({str(one.request.status) for one in left}))
                output.note(f"nothing to retry for {key}: it is {statuses}")

    administer(data_dir, retry)
