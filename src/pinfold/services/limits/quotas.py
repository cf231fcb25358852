"""Room in a quota: taken before the bytes are here, given back when they do not come.

1. ``reserve`` takes the room in the database, under the lock of the organisation's totals.
2. While the holder lives, its reservations' ends are moved on; a holder that dies stops doing that.
3. The transaction that records the files settles the reservation: reserved becomes used, in one step.
4. Whoever fails releases it.  What a dead process held is given back by ``release_expired``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final

from pinfold.core.errors import RecordNotFound
from pinfold.db import Database, changes, reservations
from pinfold.db.changes import Quota
from pinfold.db.session import DATABASE_FAILURES
from pinfold.services.accounts.model import Caller
from pinfold.services.clock import Clock, utc_now
from pinfold.telemetry import fields, logger

log = logger("services")

LIFETIME: Final = timedelta(minutes=5)
"""How long the room of a process that was killed stays taken."""
_HEARTBEAT_S: Final = 60.0  # several may fail before a reservation is lost
_STEP_BYTES: Final = 4 << 20  # an upload of unknown length takes room in steps: a transaction each
_STEP_FILES: Final = 100  # and so does a form of nobody knows how many


@dataclass(frozen=True, slots=True)
class Room:
    """What still fits into an organisation's quotas, what is reserved counted as used; None is no limit."""

    bytes: int | None
    files: int | None
    pins: int | None


class LimitsService:
    """Quotas of organisations."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock
        self._held: set[str] = set()
        self._heartbeat: asyncio.Task[None] | None = None

    async def reserve(
        self, caller: Caller, size_bytes: int, files: int = 1, *, until: datetime | None = None
    ) -> Reservation:
        """Room for files that are about to come; use it as a context manager, or ``release`` it at every failure.

        ``until`` is for what outlives this process, such as a resumable upload: such a reservation ends then, and
        only its id is needed to settle it.  An organisation without quotas reserves nothing: its id is None.
        Raises:  QuotaExceeded.
        """
        quota = await self._database.everybody.read(changes.quota_of, caller.organisation_id)
        if quota.is_none:
            return Reservation(self, caller.organisation_id, None, 0, files)
        now = self._clock()
        reservation_id = await self._database.of(caller.organisation_id).write(
            reservations.take, size_bytes, files, until or now + LIFETIME, now
        )
        if until is None:
            self._held.add(reservation_id)
            if self._heartbeat is None or self._heartbeat.done():
                self._heartbeat = asyncio.create_task(self._keep_alive())
        return Reservation(self, caller.organisation_id, reservation_id, size_bytes, files)

    async def room(self, organisation_id: str) -> Room:
        """What still fits, as of now: nothing is taken."""
        return Room(*await self._database.everybody.read(reservations.room, organisation_id))

    async def quota(self, organisation_id: str) -> Quota:
        """What the organisation may keep.  Raises: RecordNotFound."""
        return await self._database.everybody.read(changes.quota_of, organisation_id)

    async def cover(self, organisation_id: str, reservation_id: str, size_bytes: int) -> int:
        """The bytes that a reservation made ``until`` a time holds, at least ``size_bytes``.

        Raises:  QuotaExceeded, RecordNotFound where it has expired.
        """
        bound = self._database.of(organisation_id)
        return await bound.write(reservations.cover, reservation_id, size_bytes, _STEP_BYTES, self._clock())

    async def fit(self, organisation_id: str, reservation_id: str | None, size_bytes: int) -> None:
        """Have such a reservation hold just so many bytes.  Raises: QuotaExceeded, RecordNotFound."""
        if reservation_id is not None:
            await self._database.of(organisation_id).write(reservations.fit, reservation_id, size_bytes, self._clock())

    async def merge(
        self, organisation_id: str, reservation_ids: Sequence[str], size_bytes: int, files: int, until: datetime
    ) -> Reservation:
        """One such reservation in the place of several.  Raises: QuotaExceeded."""
        quota = await self._database.everybody.read(changes.quota_of, organisation_id)
        if quota.is_none and not reservation_ids:
            return Reservation(self, organisation_id, None, 0, files)
        bound = self._database.of(organisation_id)
        merged = await bound.write(reservations.merge, reservation_ids, size_bytes, files, until, self._clock())
        return Reservation(self, organisation_id, merged, size_bytes, files)

    async def release_id(self, organisation_id: str, reservation_id: str | None) -> None:
        """Give back the room of a reservation that was made ``until`` a time."""
        if reservation_id is None:
            return
        try:
            await self._database.of(organisation_id).write(reservations.release, reservation_id, self._clock())
        except RecordNotFound:
            pass  # the organisation went away, and its reservations with it

    async def release_expired(self, now: datetime | None = None) -> int:
        """Give back what processes that died held; how many reservations that were."""
        return await self._database.everybody.write(reservations.release_expired, now or self._clock())

    async def close(self) -> None:
        """Stop keeping reservations alive; every one was settled or released before."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            await asyncio.wait([self._heartbeat])

    async def _keep_alive(self) -> None:
        while self._held:
            await asyncio.sleep(_HEARTBEAT_S)
            held = sorted(self._held)
            try:
                if held:
                    await self._database.everybody.write(reservations.extend, held, self._clock() + LIFETIME)
            except DATABASE_FAILURES as exc:
                log.warning("reservations could not be kept alive", **{fields.ERROR: str(exc)})

    # -- what a reservation calls ------------------------------------------------------------------------------------

    async def _grow(self, organisation_id: str, reservation_id: str, more_bytes: int, more_files: int) -> None:
        now = self._clock()
        await self._database.of(organisation_id).write(reservations.grow, reservation_id, more_bytes, more_files, now)

    async def _release(self, organisation_id: str, reservation_id: str) -> None:
        self._held.discard(reservation_id)
        await self.release_id(organisation_id, reservation_id)

    def _settled(self, reservation_id: str) -> None:
        self._held.discard(reservation_id)


class Reservation:
    """Room that is held; leaving it as a context manager gives back what was not settled."""

    def __init__(
        self, limits: LimitsService, organisation_id: str, reservation_id: str | None, size_bytes: int, files: int
    ) -> None:
        self._limits = limits
        self._organisation_id = organisation_id
        self._used = (size_bytes, files)
        self._taken = (size_bytes, files)
        self._growing = asyncio.Lock()
        self._over = False
        self.id = reservation_id
        """For ``reservations.settle``; None where the organisation has no quota."""

    async def grow(self, more_bytes: int, more_files: int = 0) -> None:
        """Room for so much more than before.  Raises: QuotaExceeded, RecordNotFound where it took too long."""
        if self.id is None:
            return
        async with self._growing:
            self._used = (self._used[0] + more_bytes, self._used[1] + more_files)
            missing_bytes, missing_files = (
                max(0, used - taken) for used, taken in zip(self._used, self._taken, strict=True)
            )
            if not missing_bytes and not missing_files:
                return
            room = await self._limits.room(self._organisation_id)
            step_bytes = _step(missing_bytes, _STEP_BYTES, room.bytes)
            step_files = _step(missing_files, min(self._used[1], _STEP_FILES), room.files)
            await self._limits._grow(self._organisation_id, self.id, step_bytes, step_files)
            self._taken = (self._taken[0] + step_bytes, self._taken[1] + step_files)

    def settled(self) -> None:
        """Its files are recorded: nothing is left to give back."""
        self._over = True
        if self.id is not None:
            self._limits._settled(self.id)

    async def release(self) -> None:
        """Give the room back; safe to call twice, and after ``settled``."""
        if self._over:
            return
        self._over = True
        if self.id is not None:
            await self._limits._release(self._organisation_id, self.id)

    async def __aenter__(self) -> Reservation:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.release()


def _step(missing: int, usual: int, room: int | None) -> int:
    """How much to take where so much is missing: more, unless that is near the end of the quota."""
    step = max(missing, usual) if missing else 0
    return step if room is None or room >= step else missing
