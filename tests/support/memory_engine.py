"""An engine that keeps its pins in a dict, for tests of what stands above engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import BinaryIO

from pinfold.core.cid import CID
from pinfold.core.errors import PinfoldError
from pinfold.engine import Peer, PeerStatus, TrackerStatus


class MemoryEngine:
    """Two peers; ``refusals`` says what a pin raises, ``statuses`` what peers say instead of the truth."""

    def __init__(self) -> None:
        self.kept: set[CID] = set()
        self.refusals: dict[CID, list[PinfoldError]] = {}
        self.statuses: dict[CID, list[PeerStatus]] = {}
        self.calls: list[tuple[str, CID]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        """Closed, no pin or unpin gets through."""
        self._peers = (Peer("one", "first"), Peer("two", "second"))

    async def peers(self) -> Sequence[Peer]:
        return self._peers

    async def put_car(self, car: BinaryIO) -> None:
        raise NotImplementedError

    async def pin(self, cid: CID) -> None:
        self.calls.append(("pin", cid))
        await self.gate.wait()
        if self.refusals.get(cid):
            raise self.refusals[cid].pop(0)
        self.kept.add(cid)

    async def unpin(self, cid: CID) -> None:
        self.calls.append(("unpin", cid))
        await self.gate.wait()
        self.kept.discard(cid)

    async def status(self, cid: CID) -> Sequence[PeerStatus]:
        if cid in self.statuses:
            return self.statuses[cid]
        held = TrackerStatus.PINNED if cid in self.kept else TrackerStatus.UNPINNED
        return [PeerStatus(self._peers[0], held), PeerStatus(self._peers[1], TrackerStatus.REMOTE)]

    async def pins(self) -> AsyncIterator[CID]:
        for cid in sorted(self.kept):
            yield cid

    async def close(self) -> None:
        pass
