"""From a path to what is there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from pinfold.core.cid import CID, RAW
from pinfold.core.content_path import ContentPath
from pinfold.core.errors import BlockNotFound, PathNotFound
from pinfold.gateway.errors import Refusal
from pinfold.gateway.node_thread import NodeThread
from pinfold.gateway.request import GatewayRequest, show_name

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found:
    """Where a path led."""

    cid: CID
    roots: tuple[CID, ...]
    """The root, and what each name led to, the content itself last."""


LARGE_FOLDER_BYTES: Final = 64 << 10
"""A folder's block that takes long to look through: a thousand names, some 3 ms."""
_SHORT_PATH: Final = 16  # names; each may be in a folder just below that size


async def resolve(node: NodeThread, request: GatewayRequest) -> Found:
    """Walk the path name by name; long paths, and large folders, wait for the turn of their address.

    Raises:  PathNotFound, NotADirectory, BlockNotFound, and Refusal where the path leads into a block's data.
    """
    roots, left = [request.root], list(request.segments)
    if len(left) > _SHORT_PATH:
        await node.heavy.run(request.address, lambda: _walk(node, roots, left, large=True))
    while left:
        await node.call(lambda: _walk(node, roots, left, large=False))
        if left:
            await node.heavy.run(request.address, lambda: _walk(node, roots, left, large=True, most=1))
    return Found(roots[-1], tuple(roots))


def _walk(node: NodeThread, roots: list[CID], left: list[str], *, large: bool, most: int = 1 << 30) -> None:
    """Move names from ``left`` to what they lead to in ``roots``; stop before a large folder unless ``large``."""
    while left and most:
        if not large and is_large(node, roots[-1]):
            return
        if "/" in left[0]:
            raise PathNotFound(f"no folder holds the name {show_name(left[0])!r}")
        roots.append(_step(node, roots[-1], left[0]))
        del left[0]
        most -= 1
        if large:
            time.sleep(0)  # lets the event loop have the interpreter between two folders


async def call_for(node: NodeThread, address: str, cid: CID, work: Callable[[], T]) -> T:
    """The result of work that decodes the block of ``cid``; for a large one it waits for the turn of ``address``."""
    if await node.call(lambda: is_large(node, cid)):
        return await node.heavy.run(address, work)
    return await node.call(work)


def is_large(node: NodeThread, folder: CID) -> bool:
    """Whether it takes long to find a name in a folder: that depends on its own block, also of a sharded one."""
    if folder.codec == RAW:
        return False
    try:
        return node.node.block_stat(folder) > LARGE_FOLDER_BYTES
    except BlockNotFound:
        return False  # finding that out is quick


def _step(node: NodeThread, folder: CID, name: str) -> CID:
    entries = node.folders.known(folder)
    if entries is not None:
        cid = entries.find(name.encode("utf-8", "surrogateescape"))
        if cid is not None:
            return CID.from_bytes(cid)
        if not entries.is_cut:
            raise PathNotFound(f"there is no {name!r} under {folder}")
    step = node.node.resolve(ContentPath(folder, (name,)))
    if step.remainder:
        raise Refusal(501, "the path leads to a value inside a block, which this gateway does not serve yet")
    return step.cid


async def child(node: NodeThread, address: str, folder: CID, name: str) -> CID | None:
    """What ``name`` in a folder leads to; None where the folder has no such name."""

    def find() -> CID:
        return _step(node, folder, name)

    try:
        return await call_for(node, address, folder, find)
    except PathNotFound:
        return None
