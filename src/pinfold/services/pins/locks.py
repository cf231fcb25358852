"""One at a time per CID."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pinfold.core.cid import CID


class CIDLocks:
    """Keeps "nobody wants it, let go of it" and "it is here, somebody wants it" of one CID from overlapping.

    An upload holds the lock while it makes sure of its pin and writes its rows; the reconciler holds it while it finds
    that nobody wants a CID and unpins it.  Without it, an unpin decided before the rows were there could happen after
    the upload was answered, and a gc at that moment would take acknowledged content.  The lock is of this process:
    the embedded node has one platform on it.
    """

    def __init__(self) -> None:
        self._held: dict[CID, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, cid: CID) -> AsyncIterator[None]:
        """Wait until nobody holds ``cid``, then hold it."""
        cid = cid.to_v1()
        lock, users = self._held.get(cid, (asyncio.Lock(), 0))
        self._held[cid] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._held[cid]
            if users == 1:
                del self._held[cid]
            else:
                self._held[cid] = (lock, users - 1)
