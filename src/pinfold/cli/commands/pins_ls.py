"""``pinfold pins ls``."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Literal

import typer

from pinfold.cli import output
from pinfold.cli.commands.pins_add import pin_fields
from pinfold.cli.options import Json, Quiet
from pinfold.cli.remote import Limit, open_server, shown_name


def command(
    name: Annotated[str | None, typer.Option("--name", metavar="TEXT", help="Only names that contain this.")] = None,
    status: Annotated[
        Literal["queued", "pinning", "pinned", "failed"] | None, typer.Option("--status", help="Only these.")
    ] = None,
    limit: Limit = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """List the server's pin requests, newest first.

    Columns are id, status, CID and name; below a request that failed stands why.  Requests that uploads made are left
    out: `pinfold files ls` has those files.

    --json prints {"id", "cid", "name", "status", "error"} for each request; error is null unless an attempt failed.

    Example:
      pinfold pins ls
      pinfold pins ls --status failed --name trip
    """
    query = {"name": name, "match": "ipartial" if name else None, "status": status}
    with open_server() as server:
        for made in islice(server.pins(query), limit):
            if as_json:
                output.json_line(pin_fields(made))
            elif quiet:
                output.line(str(made["cid"]))
            else:
                output.line(f"{made['id']} {made['pinStatus']:<7} {made['cid']} {shown_name(made)}".rstrip())
                if made.get("error"):
                    output.line(f"  {output.printable(str(made['error']))}")
