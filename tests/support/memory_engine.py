"""An engine that keeps its pins in a dict, for tests of what stands above engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import BinaryIO

from pinfold.core.cid import CID
from pinfold.core.errors import BlockNotFound, PinfoldError, QuotaExceeded, Stopped
from pinfold.engine import PLAINLY, Content, Peer, PeerStatus, PinOptions, TrackerStatus


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
        self.far: dict[CID, Content] = {}
        """What has to be fetched, and how much it is; ``arrived`` lets it come."""
        self.arrived = asyncio.Event()
        self.sizes: dict[CID, Content] = {}
        self.fetching: dict[CID, PinOptions] = {}
        self._peers = (Peer("one", "first"), Peer("two", "second"))

    async def peers(self) -> Sequence[Peer]:
        return self._peers

    async def put_car(self, car: BinaryIO) -> None:
        raise NotImplementedError

    async def pin(self, cid: CID, options: PinOptions = PLAINLY) -> Content:
        refusals = self.refusals.get(cid)
        if not options.may_fetch and (cid in self.far or (refusals and isinstance(refusals[0], BlockNotFound))):
            raise BlockNotFound(f"{cid} is not here")
        self.calls.append(("pin", cid))
        await self.gate.wait()
        if refusals:
            raise refusals.pop(0)
        content = self.sizes.get(cid, Content(1, 10))
        if cid in self.far:
            content = await self._fetch(cid, options)
        if options.max_bytes is not None and content.bytes > options.max_bytes:
            raise QuotaExceeded(f"{cid} has {content.bytes:,} bytes: the quota leaves {options.max_bytes:,}")
        self.kept.add(cid)
        return content

    async def _fetch(self, cid: CID, options: PinOptions) -> Content:
        self.fetching[cid] = options
        try:
            while not self.arrived.is_set():
                if options.progress is not None:
                    options.progress(Content(1, 5))
                if options.stop is not None and options.stop.is_set():
                    raise Stopped("the retrieval was stopped")
                await asyncio.sleep(0.001)
        finally:
            del self.fetching[cid]
        return self.far.pop(cid)

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
