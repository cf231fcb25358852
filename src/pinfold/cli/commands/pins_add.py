"""``pinfold pins add``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from pinfold.cli import output
from pinfold.cli.options import Json, usage_error
from pinfold.cli.remote import open_server, pairs, shown_name, time_of
from pinfold.cli.waiting import wait_for_all


def command(
    cids: Annotated[list[str], typer.Argument(metavar="CID", help="What to keep.")],
    name: Annotated[str | None, typer.Option("--name", "-n", metavar="NAME", help="A name for the requests.")] = None,
    tier: Annotated[
        str | None, typer.Option(metavar="TIER", help="How well to keep it: ephemeral, standard, important, critical.")
    ] = None,
    priority: Annotated[
        Literal["low", "normal", "high"] | None, typer.Option("--priority", help="Which to carry out first.")
    ] = None,
    meta: Annotated[
        list[str] | None, typer.Option("--meta", metavar="KEY=VALUE", help="Metadata to find it by; repeatable.")
    ] = None,
    origins: Annotated[
        list[str] | None, typer.Option("--origin", metavar="MULTIADDR", help="Where it can be had; repeatable.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="TIME", help="When it may go, such as 2026-12-31.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until all are pinned or have failed, with progress on standard error.")
    ] = False,
    timeout_s: Annotated[
        int | None, typer.Option("--timeout", min=1, metavar="SECONDS", help="Wait no longer.  Default: for ever.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask the server to keep CIDs.

    The answer comes at once, the content when the server has fetched it: `pinfold pins status` says how it stands.
    With --wait a failure ends with exit code 90 and its reason, and the end of --timeout with 96.  The requests stay
    on the server whatever ends the waiting, Ctrl-C too, and the server tries again what failed.

    --json prints {"id", "cid", "name", "status", "error"} for each request; error is null unless an attempt failed.

    Example:
      pinfold pins add --wait --name trip bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
    """
    fields: dict[str, Any] = {
        "name": name,
        "tier": tier,
        "priority": priority,
        "metadata": pairs(meta, "--meta") or None,
        "origins": origins or None,
        "expires_at": time_of(expires, "--expires"),
    }
    if timeout_s is not None and not wait:
        raise usage_error("--timeout is for --wait")
    given = {key: value for key, value in fields.items() if value is not None}
    with open_server() as server:
        requests = (server.pin(cid, given) for cid in cids)
        if wait:
            wait_for_all(server, list(requests), timeout_s, lambda made: _print(made, as_json))
            return
        for made in requests:
            _print(made, as_json)


def _print(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        output.json_line(pin_fields(made))
    else:
        output.line(f"{made['pinStatus']} {made['cid']} {shown_name(made)}".rstrip())


def pin_fields(made: dict[str, Any]) -> dict[str, output.Json]:
    """One request as JSON."""
    return {
        "id": str(made["id"]),
        "cid": str(made["cid"]),
        "name": str(made.get("name") or ""),
        "status": str(made["pinStatus"]),
        "error": made.get("error"),
    }
