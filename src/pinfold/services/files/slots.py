"""Who may upload now: a bounded number at a time, of which one organisation has at most half."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(slots=True)
class _Share:
    """What one organisation may hold, and how many requests hold or wait for a piece of it."""

    free: asyncio.Semaphore
    users: int = 0


class Slots:
    """``total`` slots.  Whoever waits gets one in the order in which they came, within their organisation's share."""

    def __init__(self, total: int) -> None:
        self._free = asyncio.Semaphore(total)
        self._share = max(1, total // 2)
        self._shares: dict[str, _Share] = {}

    async def acquire(self, organisation_id: str) -> None:
        """Return once a slot is held, which ``release`` gives back."""
        share = self._shares.setdefault(organisation_id, _Share(asyncio.Semaphore(self._share)))
        share.users += 1
        try:
            await share.free.acquire()  # first, so that who waits for the share is not in the way of others
            try:
                await self._free.acquire()
            except BaseException:
                share.free.release()
                raise
        except BaseException:
            self._leave(organisation_id, share)
            raise

    def release(self, organisation_id: str) -> None:
        """Give a slot back."""
        share = self._shares[organisation_id]
        self._free.release()
        share.free.release()
        self._leave(organisation_id, share)

    def _leave(self, organisation_id: str, share: _Share) -> None:
        share.users -= 1
        if not share.users:
            del self._shares[organisation_id]
