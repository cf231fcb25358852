"""``pinfold pins status``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.options import Json
from pinfold.cli.remote import open_server

_AS_THEY_ARE = ("error", "total_replicas", "healthy_replicas", "failed_replicas", "next_attempt_at", "nodes")


def command(
    cids: Annotated[list[str], typer.Argument(metavar="CID", help="What to look at.")],
    as_json: Json = False,
) -> None:
    """Show how CIDs stand on the server: how many copies, and on which nodes.

    Where the newest request failed, a line says why, and when the server tries again.

    --json prints {"cid", "status", "request_status", "error", "total_replicas", "healthy_replicas", "failed_replicas",
    "next_attempt_at", "nodes"} for each CID.

    Example:
      pinfold pins status bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
    """
    with open_server() as server:
        for cid in cids:
            report = server.pin_status(cid)
            if as_json:
                output.json_line(
                    {"cid": report["cid"], "status": report["status"], "request_status": report["pinStatus"]}
                    | {name: report[name] for name in _AS_THEY_ARE}
                )
                continue
            copies = f"{report['healthy_replicas']} of {report['total_replicas']} copies"
            output.line(f"{report['cid']} {report['status']} ({copies}), request {report['pinStatus']}")
            if report["error"]:
                again = report["next_attempt_at"]
                when = f"; the next attempt is at {output.printable(str(again))}" if again else ""
                output.line(f"  {output.printable(str(report['error']))}{when}")
            for node in report["nodes"]:
                told = node.get("error") not in (None, "", report["error"])  # once is enough
                error = f"  {output.printable(node['error'])}" if told else ""
                output.line(f"  {output.printable(node.get('name') or node['id'])}  {node['status']}{error}")
