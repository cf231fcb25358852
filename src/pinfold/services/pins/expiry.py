"""Requests that were wanted until a day: removed once that day and the grace after it are over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from pinfold.core.errors import RecordNotFound
from pinfold.db import Database, changes, pins, wishes
from pinfold.db.changes import SYSTEM
from pinfold.services.clock import Clock, utc_now
from pinfold.services.pins.changes import told
from pinfold.telemetry import logger

log = logger("services.pins")

_TOGETHER: Final = 200  # in one transaction, so that others get in between


class Expiry:
    """Removes requests whose time is over."""

    def __init__(
        self, database: Database, wake_worker: Callable[[], None], *, grace_s: float, clock: Clock = utc_now
    ) -> None:
        self._database = database
        self._wake_worker = wake_worker
        self._grace = timedelta(seconds=grace_s)
        self._clock = clock

    async def run(self) -> int:
        """Remove what has expired, in as many transactions as it takes; how many requests that were."""
        removed = 0
        while gone := await self._database.everybody.write(_expire, self._clock() - self._grace, self._clock()):
            removed += gone
            self._wake_worker()
        if removed:
            log.info("pins expired", count=removed)
        return removed


def _expire(session: Session, before: datetime, now: datetime) -> int:
    """The number of requests that are gone: of one organisation, since each has its own chain of changes."""
    found = wishes.expired(session, before, _TOGETHER)
    if not found:
        return 0
    organisation_id = found[0][0]
    try:
        change = changes.begin_for(session, organisation_id, SYSTEM, now)
    except RecordNotFound:  # it went away with its requests just now
        return 0
    there = pins.get_all(session, [pin_id for of, pin_id in found if of == organisation_id])
    gone = []
    for row in there.values():
        if row.expires_at is not None and row.expires_at <= before:  # it may have been renewed
            change.audit("pin.expired", row.id, cid=row.cid, expires_at=row.expires_at.isoformat())
            gone.append(row)
    change.tell_all("pin.expired", [told(row) for row in gone])
    pins.remove_all(session, change, gone)
    return len(gone)
