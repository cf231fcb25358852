"""``pinfold pins add``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from pinfold.cli import output
from pinfold.cli.options import Json
from pinfold.cli.remote import open_server, pairs, shown_name, time_of


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
    as_json: Json = False,
) -> None:
    """Ask the server to keep CIDs.

    The answer comes at once, the content when the server has fetched it: `pinfold pins status` says how it stands.

    --json prints {"id", "cid", "name", "status"} for each request.

    Example:
      pinfold pins add --name trip bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
    """
    fields: dict[str, Any] = {
        "name": name,
        "tier": tier,
        "priority": priority,
        "metadata": pairs(meta, "--meta") or None,
        "origins": origins or None,
        "expires_at": time_of(expires, "--expires"),
    }
    given = {key: value for key, value in fields.items() if value is not None}
    with open_server() as server:
        for cid in cids:
            made = server.pin(cid, given)
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
    }
