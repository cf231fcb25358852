"""What runs later: bring what the engine keeps and what pin requests ask for together, one CID at a time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from pinfold.core.cid import CID
from pinfold.core.errors import Corrupt, PinfoldError
from pinfold.db import Database, pins, reconciliations, replicas
from pinfold.db.replicas import Observed
from pinfold.engine import Engine, PeerStatus, TrackerStatus
from pinfold.services.clock import Clock, utc_now
from pinfold.services.pins import summary
from pinfold.services.pins.locks import CIDLocks
from pinfold.services.pins.model import RequestStatus, root_of
from pinfold.telemetry import fields, logger

log = logger("services.pins")

LEASE: Final = timedelta(seconds=60)
FIRST_DELAY_S: Final = 2.0
LONGEST_DELAY_S: Final = 3600.0
_JITTER: Final = 0.2  # so that what failed together is not tried again together
_LOOK_AGAIN_S: Final = 1.0  # while an engine is at it
_PAGE: Final = 1000  # CIDs compared at a time at start


@dataclass(frozen=True, slots=True)
class Lease:
    """A root (so a CIDv1) that this worker looks at now, and nobody else."""

    cid: CID
    generation: int
    attempts: int


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a look at a CID found: replicas, the requests' status, and when to look again."""

    observed: Sequence[Observed]
    status: RequestStatus | None
    """None where nobody wants the CID."""
    error: str | None = None
    again_in: timedelta | None = None


class Reconciler:
    """Leases due CIDs and carries out what is wished for each."""

    def __init__(
        self, database: Database, engine: Engine, locks: CIDLocks, *, owner: str, clock: Clock = utc_now
    ) -> None:
        self._database = database
        self._engine = engine
        self._locks = locks
        self._owner = owner
        self._clock = clock

    async def lease(self, limit: int) -> list[Lease]:
        """Up to ``limit`` due CIDs, for ``LEASE`` unless extended."""
        now = self._clock()
        rows = await self._database.write(reconciliations.lease, self._owner, limit, now, now + LEASE)
        return [Lease(CID.parse(row.root), row.generation, row.attempts) for row in rows]

    async def extend(self, leases: Sequence[Lease]) -> None:
        """Keep leases whose work takes longer."""
        until = self._clock() + LEASE
        await self._database.write(reconciliations.extend, self._owner, [str(one.cid) for one in leases], until)

    async def release(self, lease: Lease) -> None:
        """Give a lease back undone; whoever is next begins at once."""
        await self._database.write(reconciliations.release, self._owner, str(lease.cid))

    async def put_off(self, lease: Lease) -> None:
        """Give a lease back after a failure that no outcome could be recorded of; it is due again later."""
        due_at = self._clock() + _delay(lease.attempts)
        await self._database.write(reconciliations.retry, self._owner, str(lease.cid), lease.generation, due_at)

    async def seconds_to_next(self) -> float | None:
        """Seconds until the next CID is due; None when none waits."""
        due_at = await self._database.read(reconciliations.next_due)
        return None if due_at is None else max(0.0, (due_at - self._clock()).total_seconds())

    async def carry_out(self, lease: Lease) -> None:
        """Pin or unpin, as the requests wish, and record what came of it."""
        if await self._database.read(pins.is_wanted, str(lease.cid)):
            outcome = await self._pin(lease)
        else:
            async with self._locks.hold(lease.cid):
                if await self._database.read(pins.is_wanted, str(lease.cid)):
                    return await self.release(lease)  # wanted again meanwhile
                outcome = await self._unpin(lease)
        await self._database.write(_record, self._owner, lease, outcome, self._clock())

    async def _pin(self, lease: Lease) -> _Outcome:
        try:
            await self._engine.pin(lease.cid)
        except PinfoldError as exc:
            return await self._failed(lease, exc)
        statuses = await self._engine.status(lease.cid)
        status = summary.request_status([one.status for one in statuses])
        if status is RequestStatus.PINNED:
            log.info("pinned", **{fields.CID: str(lease.cid)})
            return _Outcome([_observed(one) for one in statuses], status)
        error = next((one.error for one in statuses if one.error), None)
        again_in = timedelta(seconds=_LOOK_AGAIN_S) if status is RequestStatus.PINNING else _delay(lease.attempts)
        return _Outcome([_observed(one) for one in statuses], status, error, again_in)

    async def _failed(self, lease: Lease, exc: PinfoldError) -> _Outcome:
        # Corrupt bytes do not heal by trying again; nearly everything else may be mended from outside.
        again_in = None if isinstance(exc, Corrupt) else _delay(lease.attempts)
        write = log.error if isinstance(exc, Corrupt) else log.warning
        write(
            "pin failed",
            **{
                fields.CID: str(lease.cid),
                fields.CODE: exc.code,
                fields.ERROR: str(exc),
                fields.ATTEMPTS: lease.attempts + 1,
            },
        )
        statuses = [
            one if one.status is TrackerStatus.PINNED else PeerStatus(one.peer, TrackerStatus.PIN_ERROR, str(exc))
            for one in await self._engine.status(lease.cid)
        ]
        return _Outcome([_observed(one) for one in statuses], RequestStatus.FAILED, str(exc), again_in)

    async def _unpin(self, lease: Lease) -> _Outcome:
        await self._engine.unpin(lease.cid)
        log.info("unpinned", **{fields.CID: str(lease.cid)})
        return _Outcome([], None)

    async def catch_up(self) -> None:
        """After a start: release what a killed process held, and mark every CID whose wish and reality differ.

        1. An upload that was killed before it was answered left a pin that no request names.
        2. A pin can have been removed at the node while nothing ran here.
        """
        await self._database.write(reconciliations.release_all)
        kept = {root_of(cid) async for cid in self._engine.pins()}
        wanted_and_kept: set[str] = set()
        after = ""
        while page := await self._database.read(pins.wanted_after, after, _PAGE):
            wanted_and_kept |= kept.intersection(page)
            missing = [root for root in page if root not in kept]
            await self._mark(missing)
            after = page[-1]
        await self._mark(sorted(kept - wanted_and_kept))

    async def _mark(self, cids: Sequence[str]) -> None:
        if cids:
            await self._database.write(_mark_all, cids, self._clock())


def _record(session: Session, owner: str, lease: Lease, outcome: _Outcome, now: datetime) -> None:
    cid = str(lease.cid)
    replicas.replace(session, cid, outcome.observed, now)
    if outcome.status is not None:
        pins.set_status(session, cid, outcome.status, outcome.error, now)
    if outcome.again_in is None:
        reconciliations.settle(session, owner, cid, lease.generation)
    else:
        reconciliations.retry(session, owner, cid, lease.generation, now + outcome.again_in)


def _mark_all(session: Session, cids: Sequence[str], now: datetime) -> None:
    for cid in cids:
        reconciliations.mark_due(session, cid, now)


def _observed(one: PeerStatus) -> Observed:
    return Observed(one.peer.id, one.peer.name, one.status, one.error, one.status is TrackerStatus.PINNED)


def _delay(attempts: int) -> timedelta:
    seconds = min(FIRST_DELAY_S * 2.0 ** min(attempts, 30), LONGEST_DELAY_S)
    return timedelta(seconds=seconds * random.uniform(1 - _JITTER, 1 + _JITTER))
