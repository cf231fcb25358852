"""From a path to what is there."""

from __future__ import annotations

from dataclasses import dataclass

from pinfold.core.cid import CID
from pinfold.core.content_path import ContentPath
from pinfold.core.errors import PathNotFound
from pinfold.gateway.errors import Refusal
from pinfold.gateway.node_thread import NodeThread
from pinfold.gateway.request import GatewayRequest, show_name


@dataclass(frozen=True, slots=True)
class Found:
    """Where a path led."""

    cid: CID
    roots: tuple[CID, ...]
    """The root, and what each name led to, the content itself last."""


async def resolve(node: NodeThread, request: GatewayRequest) -> Found:
    """Walk the path name by name.

    Raises:  PathNotFound, NotADirectory, BlockNotFound, and Refusal where the path leads into a block's data.
    """
    return await node.call(lambda: _walk(node, request))


def _walk(node: NodeThread, request: GatewayRequest) -> Found:
    roots = [request.root]
    for segment in request.segments:
        if "/" in segment:
            raise PathNotFound(f"no folder holds the name {show_name(segment)!r}")
        step = node.node.resolve(ContentPath(roots[-1], (segment,)))
        if step.remainder:
            raise Refusal(501, "the path leads to a value inside a block, which this gateway does not serve yet")
        roots.append(step.cid)
    return Found(roots[-1], tuple(roots))


async def child(node: NodeThread, folder: CID, name: str) -> CID | None:
    """What ``name`` in a folder leads to; None where the folder has no such name."""
    try:
        return (await node.call(lambda: node.node.resolve(ContentPath(folder, (name,))))).cid
    except PathNotFound:
        return None
