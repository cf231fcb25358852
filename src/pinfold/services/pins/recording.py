"""What came of looks at roots, put into the database: many at a time, so that they share transactions.

1. The organisations whose requests name the roots are locked in one order, as by everybody who changes something.
2. Each request gets its status by the copies that it wants.  Content counts for a quota here, where the lock is held:
   what does not fit is given up, and its organisation reads why.
3. Events of what became pinned or failed go into the outbox with it.
4. What peers said is kept, and the roots are settled, or looked at again later.

Of very many requests some hundred are changed in one transaction, so that others get in between; the last one settles
the roots.  Killed before, the roots are looked at again, and the rest is done then.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from pinfold.core.errors import InvalidInput, QuotaExceeded, RecordNotFound
from pinfold.db import Database, changes, reconciliations, replicas, roots, wishes
from pinfold.db.changes import SYSTEM, Change
from pinfold.db.models import PinRow
from pinfold.db.reconciliations import Lane
from pinfold.db.replicas import Observed
from pinfold.engine import Content, PeerStatus, TrackerStatus
from pinfold.services.clock import Clock
from pinfold.services.pins import summary
from pinfold.services.pins.changes import told
from pinfold.services.pins.model import RequestStatus

_GATHER_S: Final = 0.01  # what was leased together ends nearly together
_TOGETHER: Final = 500  # requests changed in one transaction, so that others get in between


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a look at a root found, and when to look again."""

    root: str
    generation: int
    statuses: Sequence[PeerStatus] = ()
    content: Content | None = None
    failure: str | None = None
    """Why nothing was pinned; then requests have failed whatever peers say."""
    is_final: bool = False
    """Whether requests that failed are given up."""
    is_first: bool = True
    """Whether it is the first attempt: only then is a failure news."""
    again_in: timedelta | None = None
    lane: Lane = Lane.LOOK
    is_attempt: bool = True
    """Whether looking again counts as another attempt."""
    withheld: frozenset[str] = frozenset()
    """Organisations that may not rely on the content: their requests do not become pinned by what peers report."""
    is_silent: bool = False
    """Whether requests stay as they are."""


class Recorder:
    """Writes outcomes; those that come while others are being written share the next transaction."""

    def __init__(self, database: Database, owner: str, clock: Clock) -> None:
        self._database = database
        self._owner = owner
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._gathering: list[Outcome] | None = None
        self._writing: asyncio.Task[None] | None = None

    async def record(self, outcome: Outcome) -> None:
        """Have it durable.  Raises: what the database raises."""
        if self._gathering is None or self._writing is None:
            self._gathering = []
            self._writing = asyncio.create_task(self._write(self._gathering))
        self._gathering.append(outcome)
        try:
            await asyncio.shield(self._writing)
        except (ValueError, InvalidInput):  # a row of one root cannot be read or written: the others do without it
            await self._write_out([outcome])

    async def _write(self, batch: list[Outcome]) -> None:
        await asyncio.sleep(_GATHER_S)
        async with self._one_at_a_time:
            self._gathering = None  # whoever comes now waits for the next one
            await self._write_out(batch)

    async def _write_out(self, outcomes: Sequence[Outcome]) -> None:
        after: int | None = 0
        while after is not None:
            after = await self._database.background.write(record_some, self._owner, outcomes, after, self._clock())


def record_some(session: Session, owner: str, outcomes: Sequence[Outcome], after: int, now: datetime) -> int | None:
    """Record outcomes of roots that ``owner`` holds leases of, for requests with numbers above ``after``.

    The number to go on after; None when all is recorded.
    """
    by_root = {outcome.root: outcome for outcome in outcomes}
    loud = [root for root, outcome in by_root.items() if not outcome.is_silent]
    now_at = reconciliations.generations(session, loud)
    due: dict[str, int] = {}
    locked = _lock(session, wishes.organisations_of(session, loud), now)
    if after == 0:
        replicas.replace(session, {root: _observed(by_root[root]) for root in loud}, now)
    copies = {root: _copies(by_root[root]) for root in loud}
    rows = wishes.requests_to_change(session, list(locked), copies, after, _TOGETHER)
    for row in rows:
        outcome = by_root[row.root]
        is_of_now = now_at.get(row.root) == outcome.generation  # else somebody asked since, and is looked at next
        if not row.given_up and (is_of_now or (outcome.failure is None and outcome.statuses)):
            due.update(_apply(locked[row.organisation_id], row, outcome))
    session.flush()
    if len(rows) == _TOGETHER:
        reconciliations.mark_all_due(session, due, now)
        return rows[-1].number
    contents = {root: by_root[root].content for root in loud}
    sizes = {root: (content.blocks, content.bytes) for root, content in contents.items() if content is not None}
    roots.set_sizes(session, sizes, now)
    _settle(session, owner, outcomes, now)
    reconciliations.mark_all_due(session, due, now)
    return None


def _lock(session: Session, organisation_ids: Sequence[str], now: datetime) -> Mapping[str, Change]:
    locked = {}
    for organisation_id in organisation_ids:
        try:
            locked[organisation_id] = changes.begin_for(session, organisation_id, SYSTEM, now)
        except RecordNotFound:  # it went away with its requests just now
            continue
    return locked


def _apply(change: Change, row: PinRow, outcome: Outcome) -> dict[str, int]:
    """Give one request its status; the roots that are due because of it."""
    due: dict[str, int] = {}
    if not outcome.statuses and outcome.failure is None:
        return due  # it was let go of: whoever asks now has not been looked at
    error: str | None
    is_proven = row.of_file or row.status == RequestStatus.PINNED or row.size_bytes > 0
    if row.organisation_id in outcome.withheld and not is_proven:
        if outcome.failure is None:
            return due  # its own attempt comes next
        status, error = RequestStatus.FAILED, outcome.failure
    else:
        status, error = _status_of(row, outcome)
    given_up = outcome.is_final and status is RequestStatus.FAILED
    if status is RequestStatus.PINNED and outcome.content is not None and not row.of_file and not row.size_bytes:
        size = outcome.content.bytes
        try:
            change.require_room(logical_bytes=size)
        except QuotaExceeded as exc:
            status, error, given_up = RequestStatus.FAILED, str(exc), True
            due[row.root] = row.priority  # perhaps nobody else wants it
        else:
            row.size_bytes = size
            change.count(logical_bytes=size)
    if (row.status, row.error, row.given_up) != (status, error, given_up):
        is_news = row.status != status and (status is RequestStatus.PINNED or outcome.is_first)
        row.status, row.error, row.given_up, row.updated_at = status, error, given_up, change.now
        if is_news and status in (RequestStatus.PINNED, RequestStatus.FAILED):
            change.tell(f"pin.{status}", told(row))
    if row.replaces_root is not None and (given_up or status is RequestStatus.PINNED):
        due[row.replaces_root] = row.priority
        row.replaces_root = None
    return due


def _status_of(row: PinRow, outcome: Outcome) -> tuple[RequestStatus, str | None]:
    status = summary.request_status([one.status for one in outcome.statuses], row.replication_factor_min)
    if status is RequestStatus.PINNED:
        return status, None
    if outcome.failure is not None:
        return RequestStatus.FAILED, outcome.failure
    return status, next((one.error for one in outcome.statuses if one.error), None)


def _observed(outcome: Outcome) -> list[Observed]:
    return [
        Observed(one.peer.id, one.peer.name, one.status, one.error, one.status is TrackerStatus.PINNED)
        for one in outcome.statuses
    ]


def _copies(outcome: Outcome) -> int:
    return sum(one.status is TrackerStatus.PINNED for one in outcome.statuses)


def _settle(session: Session, owner: str, outcomes: Sequence[Outcome], now: datetime) -> None:
    again: defaultdict[bool, list[Outcome]] = defaultdict(list)
    for outcome in sorted(outcomes, key=lambda one: one.root):
        again[outcome.again_in is not None].append(outcome)
    reconciliations.settle(session, owner, [(outcome.root, outcome.generation) for outcome in again[False]])
    for outcome in again[True]:
        assert outcome.again_in is not None
        reconciliations.retry(
            session,
            owner,
            outcome.root,
            outcome.generation,
            now + outcome.again_in,
            lane=outcome.lane,
            is_failure=outcome.is_attempt,
        )
