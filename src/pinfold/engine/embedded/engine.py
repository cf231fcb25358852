"""The embedded engine: one peer, which is the node in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, Final, TypeVar

from pinfold.core.cid import CID
from pinfold.core.errors import PinNotFound
from pinfold.core.pin import PinMode
from pinfold.engine.interface import Peer, PeerStatus, TrackerStatus
from pinfold.node import Node

T = TypeVar("T")

PEER: Final = Peer(id="embedded", name="this machine")


class EmbeddedEngine:
    """An ``Engine`` over one open ``Node``, which stays the caller's to close.

    The platform's pins bear ``pin_name``.  A root that somebody pinned by hand keeps its own name: it counts as kept,
    and is left alone when the platform needs it no longer.
    """

    def __init__(self, node: Node, *, pin_name: str, threads: int = 4) -> None:
        self._node = node
        self._pin_name = pin_name
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="engine")

    async def peers(self) -> Sequence[Peer]:
        """The one there is."""
        return (PEER,)

    async def put_car(self, car: BinaryIO) -> None:
        """See ``Engine.put_car``."""
        await self._run(lambda: self._node.dag_import(car, pin_roots=False))

    async def pin(self, cid: CID) -> None:
        """Pinned when this returns.  See ``Engine.pin``."""
        await self._run(lambda: self._pin(cid))

    def _pin(self, cid: CID) -> None:
        if self._name_of_pin(cid) is None:
            self._node.pin_add(cid, name=self._pin_name)

    async def unpin(self, cid: CID) -> None:
        """Unpinned when this returns.  See ``Engine.unpin``."""
        await self._run(lambda: self._unpin(cid))

    def _unpin(self, cid: CID) -> None:
        if self._name_of_pin(cid) == self._pin_name:
            try:
                self._node.pin_rm(cid)
            except PinNotFound:  # another process was faster
                pass

    async def status(self, cid: CID) -> Sequence[PeerStatus]:
        """See ``Engine.status``."""
        pinned = await self._run(lambda: self._name_of_pin(cid)) is not None
        return (PeerStatus(PEER, TrackerStatus.PINNED if pinned else TrackerStatus.UNPINNED),)

    def _name_of_pin(self, cid: CID) -> str | None:
        try:
            found = next(self._node.pin_ls(mode=PinMode.RECURSIVE, cids=(cid,)))
        except PinNotFound:
            return None
        return found.name

    async def pins(self) -> AsyncIterator[CID]:
        """See ``Engine.pins``."""
        for cid in await self._run(self._own_pins):
            yield cid

    def _own_pins(self) -> list[CID]:
        # A list, not a stream: a read of the catalogue must not stay open while somebody decides about each pin.
        return [pin.cid for pin in self._node.pin_ls(mode=PinMode.RECURSIVE) if pin.name == self._pin_name]

    async def close(self) -> None:
        """See ``Engine.close``."""
        await asyncio.to_thread(self._threads.shutdown)

    async def _run(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)
