"""Many pin requests in one call, each with a result of its own: added, renewed, removed.

The items are carried out a thousand at a time, each thousand in one transaction, so that others get in between.  A call
that is killed half-way has carried out its first items; repeated, it carries out the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy.orm import Session

from pinfold.core.errors import PinConflict, PinfoldError, PinNotFound, QuotaExceeded
from pinfold.db import Database, pins, reconciliations
from pinfold.db import changes as db_changes
from pinfold.db.changes import Actor
from pinfold.db.models import PinRow
from pinfold.services.accounts import Caller
from pinfold.services.clock import Clock, require_to_come, utc_now
from pinfold.services.pins import changes
from pinfold.services.pins.changes import Answered, Asked
from pinfold.services.pins.model import Wanted
from pinfold.services.pins.origins import check_origins
from pinfold.services.pins.tiers import Tiers

_TOGETHER: Final = 1000


class BulkOutcome(StrEnum):
    """What became of one item of many."""

    CREATED = "created"
    RENEWED = "renewed"
    REMOVED = "removed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of one item of many."""

    outcome: BulkOutcome
    id: str | None = None
    cid: str | None = None
    code: str | None = None
    """Of what it was refused for."""
    error: str | None = None

    @classmethod
    def refused(cls, exc: PinfoldError, *, id: str | None = None, cid: str | None = None) -> BulkResult:
        """An item that was refused."""
        return cls(BulkOutcome.REFUSED, id, cid, exc.code, str(exc))


class BulkPins:
    """Carries out many items."""

    def __init__(
        self,
        database: Database,
        tiers: Tiers,
        wake_worker: Callable[[], None],
        clock: Clock = utc_now,
        *,
        allow_private_origins: bool = False,
    ) -> None:
        self._database = database
        self._tiers = tiers
        self._wake_worker = wake_worker
        self._clock = clock
        self._allow_private_origins = allow_private_origins

    async def add(self, caller: Caller, wishes: Sequence[Wanted | BulkResult]) -> list[BulkResult]:
        """A request for each CID, as ``PinsService.ask``; what is refused already stays so."""
        items = [await self._accept(caller, wish) if isinstance(wish, Wanted) else wish for wish in wishes]
        return await self._in_parts(caller, _add, items)

    async def _accept(self, caller: Caller, wish: Wanted) -> Asked | BulkResult:
        try:
            require_to_come(wish.expires_at, self._clock())
            check_origins(wish.origins, allow_private=self._allow_private_origins)
            replication = await self._tiers.choose(wish.tier, wish.replication_factor_min, wish.replication_factor_max)
        except PinfoldError as exc:
            return BulkResult.refused(exc, cid=str(wish.cid))
        return Asked(caller.actor, wish, replication)

    async def remove(self, caller: Caller, pin_ids: Sequence[str]) -> list[BulkResult]:
        """Forget requests."""
        return await self._in_parts(caller, _remove, pin_ids)

    async def renew(self, caller: Caller, pin_ids: Sequence[str], expires_at: datetime | None) -> list[BulkResult]:
        """Keep requests until ``expires_at`` (None: for good) and look at them afresh.  Raises: InvalidInput."""
        require_to_come(expires_at, self._clock())
        return await self._in_parts(caller, _renew, pin_ids, expires_at)

    async def _in_parts(
        self, caller: Caller, write: Callable[..., list[BulkResult]], items: Sequence[Any], *more: Any
    ) -> list[BulkResult]:
        database = self._database.of(caller.organisation_id)
        results: list[BulkResult] = []
        for start in range(0, len(items), _TOGETHER):
            part = items[start : start + _TOGETHER]
            carry_out = database.give_back if write is _remove else database.write
            results += await carry_out(write, caller.actor, part, *more, self._clock())
            self._wake_worker()
        return results


def _add(session: Session, actor: Actor, items: Sequence[Asked | BulkResult], now: datetime) -> list[BulkResult]:
    answers = iter(changes.ask_all(session, [item for item in items if isinstance(item, Asked)], now))
    return [item if isinstance(item, BulkResult) else _result(item, next(answers)) for item in items]


def _result(asked: Asked, answer: Answered) -> BulkResult:
    if isinstance(answer, QuotaExceeded):
        return BulkResult.refused(answer, cid=str(asked.wanted.cid))
    row, is_new = answer
    return BulkResult(BulkOutcome.CREATED if is_new else BulkOutcome.RENEWED, row.id, row.cid)


def _remove(session: Session, actor: Actor, pin_ids: Sequence[str], now: datetime) -> list[BulkResult]:
    change = db_changes.begin(session, actor, now)
    found = pins.get_all(session, pin_ids)
    results, gone = [], []
    for pin_id in pin_ids:
        row = found.pop(pin_id, None)  # so that an id that is named twice is there once
        result = _refusal(pin_id, row)
        if result is None and row is not None:
            gone.append(row)
            result = BulkResult(BulkOutcome.REMOVED, row.id, row.cid)
        assert result is not None
        results.append(result)
    changes.drop_all(session, change, gone)
    return results


def _renew(
    session: Session, actor: Actor, pin_ids: Sequence[str], expires_at: datetime | None, now: datetime
) -> list[BulkResult]:
    change = db_changes.begin(session, actor, now)
    found = pins.get_all(session, pin_ids)
    due: dict[str, int] = {}
    results = []
    for pin_id in pin_ids:
        row = found.get(pin_id)
        result = _refusal(pin_id, row)
        if result is None and row is not None:
            row.expires_at = expires_at
            pins.refresh(row, now)
            change.audit("pin.renewed", row.id, cid=row.cid)
            due[row.root] = max(due.get(row.root, 0), row.priority)
            result = BulkResult(BulkOutcome.RENEWED, row.id, row.cid)
        assert result is not None
        results.append(result)
    session.flush()
    reconciliations.mark_all_due(session, due, now)
    return results


def _refusal(pin_id: str, row: PinRow | None) -> BulkResult | None:
    if row is None:
        return BulkResult.refused(PinNotFound(f"there is no pin request {pin_id}"), id=pin_id)
    if row.of_file:
        return BulkResult.refused(PinConflict(f"the pin request {pin_id} belongs to a file"), id=pin_id, cid=row.cid)
    return None
