"""What runs later: bring what the engine keeps and what pin requests ask for together, one CID at a time.

A root is looked at first (``Lane.LOOK``): what is here is pinned, what nobody wants is unpinned, both at once.  What is
not here goes to another lane (``Lane.FETCH``), where it may take its time without holding up the others.
"""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from pyroaring import BitMap
from sqlalchemy.orm import Session

from pinfold.core.cid import CID
from pinfold.core.errors import BlockNotFound, Corrupt, DatabaseUnavailable, PinfoldError, QuotaExceeded, Stopped
from pinfold.db import Database, reconciliations, turns, wishes
from pinfold.db.reconciliations import Lane
from pinfold.db.session import DATABASE_FAILURES
from pinfold.db.turns import Turn
from pinfold.db.wishes import Wish
from pinfold.engine import Content, Engine, PeerStatus, PinOptions, TrackerStatus
from pinfold.services.clock import Clock, utc_now
from pinfold.services.pins.fetching import Fetching, fetching
from pinfold.services.pins.foreign_blocks import ForeignBlocks
from pinfold.services.pins.locks import CIDLocks
from pinfold.services.pins.model import root_of
from pinfold.services.pins.recording import Outcome, Recorder
from pinfold.telemetry import fields, logger

log = logger("services.pins")

LEASE: Final = timedelta(seconds=60)
FIRST_DELAY_S: Final = 2.0
LONGEST_DELAY_S: Final = 3600.0
_JITTER: Final = 0.2  # so that what failed together is not tried again together
_LOOK_AGAIN_S: Final = 1.0  # while an engine is at it
_AT_ONCE: Final = timedelta(0)
_PAGE: Final = 1000  # CIDs compared at a time


@dataclass(frozen=True, slots=True)
class Lease:
    """A root (so a CIDv1) that this worker looks at now, and nobody else."""

    cid: CID
    generation: int
    attempts: int
    lane: Lane
    wish: Wish
    """As it was when the lease began."""
    organisation_id: str = ""
    """In whose turn it came."""


class Reconciler:
    """Leases due CIDs and carries out what is wished for each."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        locks: CIDLocks,
        *,
        owner: str,
        clock: Clock = utc_now,
        foreign: ForeignBlocks | None = None,
    ) -> None:
        """``foreign`` says which blocks belong to other tenants; without it all blocks of the engine are common."""
        self._foreign = foreign
        self._database = database
        self._engine = engine
        self._locks = locks
        self._owner = owner
        self._clock = clock
        self._recorder = Recorder(database, owner, clock)
        self._fetches: dict[CID, Fetching] = {}
        self._served_last = dict.fromkeys(Lane, "")

    async def lease(
        self, looks: int, fetches: int | None = None, fetching: Mapping[str, int] | None = None
    ) -> list[Lease]:
        """Up to ``looks`` CIDs to look at and ``fetches`` (None: as many) to fetch, for ``LEASE`` unless extended.

        ``fetching`` says how many fetches of each organisation run already: who has fewest comes first.
        """
        now = self._clock()
        limits = {Lane.LOOK: looks, Lane.FETCH: looks if fetches is None else fetches}
        at = {lane: Turn(after) for lane, after in self._served_last.items()}
        at[Lane.FETCH] = Turn(self._served_last[Lane.FETCH], fetching or {})
        leases = await self._database.background.write(_lease, self._owner, limits, now, now + LEASE, at)
        self._served_last.update({lease.lane: lease.organisation_id for lease in leases})
        return leases

    async def waiting_to_fetch(self) -> set[str]:
        """Organisations that have something to be fetched and not begun; some of them, where they are very many."""
        after = self._served_last[Lane.FETCH]
        read = self._database.everybody.read
        return set(await read(turns.organisations_waiting, Lane.FETCH, self._clock(), after))

    def interrupt(self, cid: CID) -> None:
        """Have a fetch end soon, to be gone on with when its turn comes; what came of it is kept."""
        if (fetch := self._fetches.get(cid)) is not None:
            fetch.stop.set()

    async def extend(self, leases: Sequence[Lease]) -> None:
        """Keep leases whose work takes longer."""
        until = self._clock() + LEASE
        roots = [str(one.cid) for one in leases]
        await self._database.background.write(reconciliations.extend, self._owner, roots, until)

    async def release(self, lease: Lease) -> None:
        """Give a lease back undone; whoever is next begins at once."""
        await self._database.background.write(reconciliations.release, self._owner, [str(lease.cid)])

    async def put_off(self, lease: Lease) -> None:
        """Give a lease back after a failure that no outcome could be recorded of; it is due again later."""
        due_at = self._clock() + _delay(lease.attempts)
        root = str(lease.cid)
        await self._database.background.write(reconciliations.retry, self._owner, root, lease.generation, due_at)

    async def seconds_to_next(self, lanes: Sequence[Lane] = tuple(Lane)) -> float | None:
        """Seconds until the next CID of these lanes is due; None when none waits."""
        due_at = await self._database.everybody.read(reconciliations.next_due, lanes)
        return None if due_at is None else max(0.0, (due_at - self._clock()).total_seconds())

    async def carry_out(self, lease: Lease) -> None:
        """Pin or unpin, as the requests wish, and record what came of it."""
        if lease.wish.is_wanted:
            outcome = await self._pin(lease)
            if outcome is None:
                return await self.release(lease)  # who looks next finds what changed
            return await self._recorder.record(outcome)
        async with self._locks.hold(lease.cid):
            if await self._database.everybody.read(wishes.is_wanted, str(lease.cid)):
                return await self.release(lease)  # wanted again meanwhile
            await self._engine.unpin(lease.cid)
            log.debug("unpinned", **{fields.CID: str(lease.cid)})
            # Still under the lock: what peers hold must not be said of whoever asks from now on.
            await self._recorder.record(Outcome(str(lease.cid), lease.generation))

    async def _pin(self, lease: Lease) -> Outcome | None:
        """What came of trying to pin; None where it was stopped."""
        withheld: frozenset[str] = frozenset()
        try:
            unproven = await self._unproven(lease)
            if lease.lane is Lane.LOOK:
                withheld = frozenset(unproven)
                content = await self._look(lease, is_hidden=len(withheld) > 0 and not self._is_common(lease, withheld))
            else:
                # At random, so that an organisation whose content cannot be had does not hold up the others.
                claimant = random.choice(unproven) if unproven else ""
                withheld = frozenset(unproven) - {claimant}
                content = await self._fetch(lease, claimant)
        except Stopped:
            return None
        except BlockNotFound as exc:
            if lease.lane is Lane.FETCH:
                return await self._failed(lease, exc)
            return _of(lease, again_in=_AT_ONCE, lane=Lane.FETCH, is_attempt=False, is_silent=True)
        except DatabaseUnavailable:
            raise  # it says nothing of the content, which is put off and no failure
        except PinfoldError as exc:
            return await self._failed(lease, exc)
        statuses = await self._engine.status(lease.cid)
        again_in = None
        if not any(one.status is TrackerStatus.PINNED for one in statuses):
            under_way = any(one.status.is_under_way for one in statuses)
            again_in = timedelta(seconds=_LOOK_AGAIN_S) if under_way else _delay(lease.attempts)
        elif not lease.wish.is_pinned:
            log.debug("pinned", **{fields.CID: str(lease.cid)})
        if withheld:
            outcome = _of(lease, statuses=statuses, content=content, again_in=_AT_ONCE, withheld=withheld)
            return replace(outcome, lane=Lane.FETCH, is_attempt=False)
        return _of(lease, statuses=statuses, content=content, again_in=again_in)

    async def _unproven(self, lease: Lease) -> list[str]:
        """The organisations that ask for it and may not rely on all of its blocks that are here."""
        if self._foreign is None or not lease.wish.claimants:
            return []
        found = await asyncio.to_thread(self._may_not_rely_on, self._foreign, lease)
        return found

    @staticmethod
    def _may_not_rely_on(foreign: ForeignBlocks, lease: Lease) -> list[str]:
        return [one for one in lease.wish.claimants if foreign.holds_some_of(lease.cid, one)]

    @staticmethod
    def _is_common(lease: Lease, withheld: frozenset[str]) -> bool:
        """Whether somebody who asks for it may rely on what is here."""
        return lease.wish.has_holders or not withheld.issuperset(lease.wish.claimants)

    async def _look(self, lease: Lease, *, is_hidden: bool) -> Content | None:
        options = PinOptions(
            may_fetch=False,
            origins=tuple(lease.wish.origins),
            max_bytes=lease.wish.max_bytes,
            hidden=BitMap if is_hidden else None,  # which ones does not matter while nothing is fetched
        )
        return await self._engine.pin(lease.cid, options)

    async def _fetch(self, lease: Lease, claimant: str) -> Content | None:
        async with fetching(self._database, self._clock, str(lease.cid)) as fetch:
            options = PinOptions(
                origins=tuple(lease.wish.origins),
                max_bytes=lease.wish.max_bytes,
                progress=fetch.tell,
                stop=fetch.stop,
                hidden=functools.partial(self._foreign.hidden_from, claimant) if self._foreign and claimant else None,
            )
            self._fetches[lease.cid] = fetch
            try:
                return await self._engine.pin(lease.cid, options)
            finally:
                del self._fetches[lease.cid]

    async def _failed(self, lease: Lease, exc: PinfoldError) -> Outcome:
        # Corrupt bytes and a full quota do not heal by trying again; nearly everything else may be mended from outside.
        is_final = isinstance(exc, QuotaExceeded)
        again_in = None if is_final or isinstance(exc, Corrupt) else _delay(lease.attempts)
        # Of thousands that nobody has, each is tried again and again: that it failed is news once.
        write = log.error if isinstance(exc, Corrupt) else log.debug if lease.attempts else log.warning
        write(
            "pin failed",
            **{
                fields.CID: str(lease.cid),
                fields.CODE: exc.code,
                fields.ERROR: str(exc),
                fields.ATTEMPTS: lease.attempts + 1,
                fields.ORGANISATION_ID: lease.organisation_id,
            },
        )
        statuses = [
            one if one.status is TrackerStatus.PINNED else PeerStatus(one.peer, TrackerStatus.PIN_ERROR, str(exc))
            for one in await self._engine.status(lease.cid)
        ]
        withheld = frozenset(await self._unproven(lease))
        return _of(lease, statuses=statuses, failure=str(exc), is_final=is_final, again_in=again_in, withheld=withheld)

    async def release_all(self) -> None:
        """Let go of what a killed process held; for the start of the only process there is."""
        await self._database.background.write(reconciliations.release_all)

    async def catch_up(self) -> None:
        """``compare``, while everything else runs; what fails is left to the comparison of the next hour."""
        try:
            await self.compare()
        except (*DATABASE_FAILURES, PinfoldError) as exc:
            log.error("cannot compare pins with what is wished for", **{fields.ERROR: repr(exc)})

    async def compare(self) -> None:
        """Mark what differs between the node's pins and what is wished for, beside everything else that runs.

        1. An upload that was killed before it was answered left a pin that no request names.  One that is under way has
           such a pin as well; it makes sure of it, under the lock, when it writes its rows.
        2. A pin can have been removed at the node while nothing ran here.
        """
        kept: set[str] = set()
        async for cid in self._engine.pins():
            kept.add(root_of(cid))
            if len(kept) % _PAGE == 0:
                await asyncio.sleep(0)  # an engine may have them all at hand, and requests wait
        forgotten = set(kept)
        after = ""
        while page := await self._database.everybody.read(wishes.wanted_after, after, _PAGE):
            forgotten.difference_update(page)
            await self._mark([root for root in page if root not in kept])
            after = page[-1]
        del kept
        while forgotten:
            await self._mark([forgotten.pop() for _ in range(min(_PAGE, len(forgotten)))])

    async def _mark(self, roots: Sequence[str]) -> None:
        if roots:
            priorities = dict.fromkeys(roots, 1)
            await self._database.background.write(reconciliations.mark_all_due, priorities, self._clock())


def _lease(
    session: Session, owner: str, limits: dict[Lane, int], now: datetime, until: datetime, at: dict[Lane, Turn]
) -> list[Lease]:
    leased = [
        (lane, *row)
        for lane, limit in limits.items()
        if limit > 0
        for row in reconciliations.lease(session, owner, lane, limit, now, until, at[lane])
    ]
    wished = wishes.of_roots(session, [row[1] for row in leased])
    return [
        Lease(CID.parse(root), generation, attempts, lane, wished[root], organisation_id)
        for lane, root, generation, attempts, organisation_id in leased
    ]


def _of(lease: Lease, **what: Any) -> Outcome:
    return Outcome(root=str(lease.cid), generation=lease.generation, is_first=not lease.attempts, **what)


def _delay(attempts: int) -> timedelta:
    seconds = min(FIRST_DELAY_S * 2.0 ** min(attempts, 30), LONGEST_DELAY_S)
    return timedelta(seconds=seconds * random.uniform(1 - _JITTER, 1 + _JITTER))
