"""Who may upload now: a bounded number at a time, of which one organisation has at most half.

While others wait for a place, an upload whose sender is slow loses its own: drips from two organisations would hold all
places otherwise.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pinfold.core.errors import NoPlaceForUpload

_PATIENCE_S: Final = 5.0
_LEAST_BYTES: Final = 64 << 10
"""Less than this in ``_PATIENCE_S``, of all that hold the places together, and none given back: they do not move."""
_LOOK_S: Final = 2.0  # how long an upload is watched before it can lose its place, and how often one can
LEAST_BYTES_PER_S_CONTENDED: Final = 16 << 10
"""What an upload has to send, while others wait for a place, to keep its own: a slow mobile network sends more."""


@dataclass(slots=True, eq=False)
class Holder:
    """One upload that holds a place."""

    organisation_id: str
    task: asyncio.Task[object] | None
    """That reads the body, and is cancelled where the place is taken away."""
    moved_bytes: int = 0
    at_work: int = 0
    is_preempted: bool = False


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

    async def take(self, whose: str, watch: Callable[[], None] = lambda: None) -> None:
        """Return once a place is held; ``watch`` is called now and then while it is waited for.

        Raises:  NoPlaceForUpload, where those that hold them do not move.
        """
        if not self.free.locked():
            await self.free.acquire()
            return
        waiting = asyncio.ensure_future(self.free.acquire())
        try:
            while True:
                before, left_s = (self.given_back, self.moved_bytes), _PATIENCE_S
                while left_s > 0:
                    watch()
                    done, _ = await asyncio.wait([waiting], timeout=min(left_s, _LOOK_S))
                    if done:
                        return
                    left_s -= _LOOK_S
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
        self._holders: dict[asyncio.Task[object], Holder] = {}

    async def acquire(self, organisation_id: str) -> Holder:
        """The holder of a slot, once there is one; ``release`` gives it back.

        Raises:  NoPlaceForUpload, after a few seconds in which those that hold the slots did not move.
        """
        share = self._shares.setdefault(organisation_id, _Places(asyncio.Semaphore(self._share)))
        share.users += 1
        try:
            await share.take("your organisation has")  # first: who waits for the share is not in the way of others
            try:
                await self._all.take("there are", self._watcher(organisation_id))
            except BaseException:
                share.free.release()
                raise
        except BaseException:
            self._leave(organisation_id, share)
            raise
        holder = Holder(organisation_id, asyncio.current_task())
        if holder.task is not None:
            self._holders[holder.task] = holder
        return holder

    @property
    def holder(self) -> Holder | None:
        """Of this task, where it holds a slot."""
        task = asyncio.current_task()
        return None if task is None else self._holders.get(task)

    def _watcher(self, organisation_id: str) -> Callable[[], None]:
        """What takes a place away, each time that it is called, from the slowest sender since it was called before."""
        seen: dict[Holder, int] = {}

        def look() -> None:
            held = Counter(one.organisation_id for one in self._holders.values())
            slow = [
                one
                for one in self._holders.values()
                if one in seen
                and not one.at_work
                and not one.is_preempted
                and one.moved_bytes - seen[one] < LEAST_BYTES_PER_S_CONTENDED * _LOOK_S
                and held[one.organisation_id] > held[organisation_id]
            ]
            if slow:
                slowest = min(slow, key=lambda one: (-held[one.organisation_id], one.moved_bytes - seen[one]))
                slowest.is_preempted = True
                assert slowest.task is not None
                slowest.task.cancel()
            seen.clear()
            seen.update((one, one.moved_bytes) for one in self._holders.values())

        return look

    @contextmanager
    def at_work(self, organisation_id: str, size_bytes: int = 0) -> Iterator[None]:
        """Say that the server works for one who holds a slot, of whom so many bytes came."""
        held: list[_Places | Holder] = [self._all]
        if (share := self._shares.get(organisation_id)) is not None:  # gone, where the upload has failed already
            held.append(share)
        if (holder := self.holder) is not None:
            held.append(holder)
        for places in held:
            places.at_work += 1
            places.moved_bytes += size_bytes
        try:
            yield
        finally:
            for places in held:
                places.at_work -= 1

    def release(self, organisation_id: str, holder: Holder | None = None) -> None:
        """Give a slot back."""
        if holder is not None and holder.task is not None and self._holders.get(holder.task) is holder:
            del self._holders[holder.task]
        share = self._shares[organisation_id]
        self._all.give_back()
        share.give_back()
        self._leave(organisation_id, share)

    def _leave(self, organisation_id: str, share: _Places) -> None:
        share.users -= 1
        if not share.users:
            del self._shares[organisation_id]
