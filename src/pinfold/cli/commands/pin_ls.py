"""``pinfold pin ls``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pinfold.cli import output
from pinfold.cli.options import DataDir, Json, Quiet, open_node

if TYPE_CHECKING:
    from pinfold import Node
    from pinfold.core.cid import CID
    from pinfold.core.pin import Pin, PinMode


def command(
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH", help="Only these.")] = None,
    mode: Annotated[
        Literal["all", "recursive", "direct", "indirect"], typer.Option("--type", "-t", help="Only this kind.")
    ] = "all",
    name: Annotated[
        str | None, typer.Option("--name", "-n", metavar="TEXT", help="Only names that contain this.")
    ] = None,
    names: Annotated[bool, typer.Option("--names", help="Implied; taken for Kubo's sake.")] = True,
    stream: Annotated[bool, typer.Option("--stream", "-s", help="Implied; taken for Kubo's sake.")] = True,
    quiet: Quiet = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List what is pinned.

    Columns are CID, kind and name.  Indirect pins are the blocks below recursive ones.  With paths, it fails when one
    of them is not pinned.

    --json prints {"cid", "mode", "name", "created_at", "profile", "blocks"} for each pin; created_at is UTC, or null
    for indirect pins.

    Example:
      pinfold pin ls --type recursive
      pinfold pin ls --name trip --json
    """
    from pinfold.core.pin import PinMode

    wanted = None if mode == "all" else PinMode(mode)
    with open_node(data_dir) as node:
        cids = [node.resolve(path).cid for path in paths or ()]
        for pin in _all_of(node, wanted, name, cids) if cids else node.pin_ls(mode=wanted, name=name):
            if as_json:
                output.json_line(_fields(pin))
            elif quiet:
                output.line(str(pin.cid))
            else:
                output.line(f"{pin.cid} {pin.mode.value} {output.printable(pin.name)}".rstrip())


def _all_of(node: Node, mode: PinMode | None, name: str | None, cids: list[CID]) -> list[Pin]:
    """The pins of every one of ``cids``.  Raises: PinNotFound."""
    from pinfold.core.errors import PinNotFound

    pins = list(node.pin_ls(mode=mode, name=name, cids=cids))
    found = {pin.cid for pin in pins}
    for cid in cids:
        if cid not in found:
            raise PinNotFound(f"{cid} is not pinned" + (f" as {mode}" if mode else ""))
    return pins


def _fields(pin: Pin) -> dict[str, output.Json]:
    created = datetime.fromtimestamp(pin.created_at, UTC).isoformat() if pin.created_at else None
    return {
        "cid": str(pin.cid),
        "mode": pin.mode.value,
        "name": pin.name,
        "created_at": created,
        "profile": pin.profile,
        "blocks": pin.blocks,
    }
