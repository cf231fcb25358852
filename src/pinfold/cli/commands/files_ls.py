"""``pinfold files ls``."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.options import Json, Quiet
from pinfold.cli.remote import Limit, open_server, shown_name


def command(
    search: Annotated[
        str | None, typer.Option("--search", metavar="TEXT", help="Only names that contain this.")
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", metavar="TAG", help="Only files with this tag.")] = None,
    limit: Limit = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """List the server's files, newest first.

    Columns are CID, status of the pin, size and name.

    --json prints {"id", "cid", "name", "size", "pinStatus", "created_at"} for each file.

    Example:
      pinfold files ls --limit 20
      pinfold files ls --tag 2026 --search photo
    """
    with open_server() as server:
        for record in islice(server.files({"search": search, "tag": tag}), limit):
            if as_json:
                names = ("id", "cid", "name", "size", "pinStatus", "created_at")
                output.json_line({name: record[name] for name in names})
            elif quiet:
                output.line(str(record["cid"]))
            else:
                size = output.size(record["size"])
                output.line(f"{record['cid']} {record['pinStatus']:<7} {size:>9} {shown_name(record)}")
