"""Who may upload now: a bounded number at a time, of which one organisation has at most half."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pinfold.core.errors import NoPlaceForUpload

_PATIENCE_S: Final = 5.0
_LEAST_BYTES: Final = 64 << 10
"""Less than this in ``_PATIENCE_S``, of all that hold the places together, and none given back: they do not move."""


@dataclass(slots=True)
class _Places:
    """Places that are held, and how the holders get on."""

    free: asyncio.Semaphore
    moved_bytes: int = 0
    given_back: int = 0
    at_work: int = 0
    """For how many holders the server works, so that it is not they who are waited for."""
    users: int = 0
    """How many hold a place or wait for one."""

    async def take(self, whose: str) -> None:
        """Return once a place is held.  Raises: NoPlaceForUpload, where those that hold them do not move."""
        if not self.free.locked():
            await self.free.acquire()
            return
        waiting = asyncio.ensure_future(self.free.acquire())
        try:
            while True:
                before = (self.given_back, self.moved_bytes)
                done, _ = await asyncio.wait([waiting], timeout=_PATIENCE_S)
                if done:
                    return
                moved = self.given_back != before[0] or self.moved_bytes - before[1] >= _LEAST_BYTES
                if not moved and not self.at_work:
                    raise NoPlaceForUpload(f"all places that {whose} for uploads are held by ones that do not move")
        except BaseException:
            if not waiting.cancel():  # it came just now
                self.free.release()
            raise

    def give_back(self) -> None:
        """Let somebody else have the place."""
        self.given_back += 1
        self.free.release()


class Slots:
    """``total`` slots.  Whoever waits gets one in the order in which they came, within their organisation's share."""

    def __init__(self, total: int) -> None:
        self._all = _Places(asyncio.Semaphore(total))
        self._share = max(1, total // 2)
        self._shares: dict[str, _Places] = {}

    async def acquire(self, organisation_id: str) -> None:
        """Return once a slot is held, which ``release`` gives back.

        Raises:  NoPlaceForUpload, after a few seconds in which those that hold the slots did not move.
        """
        share = self._shares.setdefault(organisation_id, _Places(asyncio.Semaphore(self._share)))
        share.users += 1
        try:
            await share.take("your organisation has")  # first: who waits for the share is not in the way of others
            try:
                await self._all.take("there are")
            except BaseException:
                share.free.release()
                raise
        except BaseException:
            self._leave(organisation_id, share)
            raise

    @contextmanager
    def at_work(self, organisation_id: str, size_bytes: int = 0) -> Iterator[None]:
        """Say that the server works for one who holds a slot, of whom so many bytes came."""
        held = [self._all]
        if (share := self._shares.get(organisation_id)) is not None:  # gone, where the upload has failed already
            held.append(share)
        for places in held:
            places.at_work += 1
            places.moved_bytes += size_bytes
        try:
            yield
        finally:
            for places in held:
                places.at_work -= 1

    def release(self, organisation_id: str) -> None:
        """Give a slot back."""
        share = self._shares[organisation_id]
        self._all.give_back()
        share.give_back()
        self._leave(organisation_id, share)

    def _leave(self, organisation_id: str, share: _Places) -> None:
        share.users -= 1
        if not share.users:
            del self._shares[organisation_id]
