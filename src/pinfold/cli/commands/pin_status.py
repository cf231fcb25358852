"""``pinfold pin status``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.administering import administer, fields_of, shown
from pinfold.cli.commands.pin_requests import request_fields
from pinfold.cli.options import DataDir, Json

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.pins.model import NodeReport, PinReport
    from pinfold.services.pins.oversight import Owned


def command(
    cids: Annotated[list[str], typer.Argument(metavar="CID", help="What to look at.")],
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Show how CIDs stand for all who asked this server to pin them.

    A CID is healthy when all copies that are wanted are there and none failed, degraded when there are enough, else
    unhealthy.  Below it stand the nodes, then the requests, with organisation and name.

    --json prints {"cid", "status", "total_replicas", "healthy_replicas", "failed_replicas", "attempts",
    "next_attempt_at", "nodes", "requests"} for each CID; a node is {"id", "name", "status", "error", "claimed_at",
    "verified_at", "seen_at"}, a request as `pinfold pin requests` prints it.

    Example:
      pinfold pin status bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
    """

    async def look(admin: Administration) -> None:
        from pinfold.core.cid import CID
        from pinfold.services.accounts import operator

        for cid in cids:
            report, asked = await admin.pins.report(operator(""), CID.parse(cid))
            if as_json:
                output.json_line(_fields(report, asked))
            else:
                _show(report, asked)

    administer(data_dir, look)


def _fields(report: PinReport, asked: list[Owned]) -> dict[str, output.Json]:
    return {
        "cid": str(report.cid),
        "status": str(report.health),
        **fields_of(report, "total_replicas", "healthy_replicas", "failed_replicas", "attempts", "next_attempt_at"),
        "nodes": [{**fields_of(node), "status": str(node.status)} for node in report.nodes],
        "requests": [request_fields(one) for one in asked],
    }


def _show(report: PinReport, asked: list[Owned]) -> None:
    copies = f"{report.healthy_replicas} of {report.total_replicas} copies"
    output.line(f"{report.cid} {report.health} ({copies})")
    progress = report.progress
    if progress is not None and not report.healthy_replicas:
        of = f" of {output.size(progress.size_bytes)}" if progress.size_bytes else ""
        output.line(f"  fetched {progress.blocks:,} blocks, {output.size(progress.bytes)}{of}")
    if report.next_attempt_at is not None:
        output.line(f"  to be looked at {shown(report.next_attempt_at)}, after {report.attempts:,} failed attempts")
    for node in report.nodes:
        output.line(f"  node {_node(node)}")
    for one in asked:
        output.line(f"  {_request(one)}")


def _node(node: NodeReport) -> str:
    error = f"  {output.printable(node.error)}" if node.error else ""
    return f"{output.printable(node.name or node.id)}  {node.status}, seen {shown(node.seen_at)}{error}"


def _request(one: Owned) -> str:
    request = one.request
    kind = "file" if request.of_file else "request"
    error = f"  {output.printable(request.error)}" if request.error else ""
    name = output.printable(request.name)
    return f"{kind} {request.id}  {request.status}, {one.organisation}  {name}{error}".rstrip()
