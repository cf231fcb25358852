"""``pinfold pins status``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.options import Json
from pinfold.cli.remote import open_server


def command(
    cids: Annotated[list[str], typer.Argument(metavar="CID", help="What to look at.")],
    as_json: Json = False,
) -> None:
    """Show how CIDs stand on the server: how many copies, and on which nodes.

    --json prints {"cid", "status", "total_replicas", "healthy_replicas", "failed_replicas", "nodes"} for each CID.

    Example:
      pinfold pins status bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
    """
    with open_server() as server:
        for cid in cids:
            report = server.pin_status(cid)
            if as_json:
                names = ("cid", "status", "total_replicas", "healthy_replicas", "failed_replicas", "nodes")
                output.json_line({name: report[name] for name in names})
                continue
            copies = f"{report['healthy_replicas']} of {report['total_replicas']} copies"
            output.line(f"{report['cid']} {report['status']} ({copies})")
            for node in report["nodes"]:
                error = f"  {output.printable(node['error'])}" if node.get("error") else ""
                output.line(f"  {output.printable(node.get('name') or node['id'])}  {node['status']}{error}")
