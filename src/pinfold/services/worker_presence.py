"""Whether any process carries out what this one queues: without a worker, uploads and pins stay queued."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Final

from pinfold.db import Database, upkeep
from pinfold.db.session import DATABASE_FAILURES
from pinfold.services.clock import Clock, utc_now

ABSENT_AFTER: Final = timedelta(seconds=120)
"""A worker does periodic work at least every 30 s; a busy one may be late."""
_FRESH_S: Final = 5.0


class WorkerPresence:
    """Judges by the periodic work that workers record in the database."""

    def __init__(
        self, database: Database, *, runs_here: bool, clock: Clock = utc_now, fresh_s: float = _FRESH_S
    ) -> None:
        """``runs_here`` is whether this process is a worker itself, which is then enough."""
        self._database = database
        self._runs_here = runs_here
        self._clock = clock
        self._fresh_s = fresh_s
        self._known: tuple[float, str | None] | None = None

    async def problem(self) -> str | None:
        """A sentence where no worker runs, or None; that of some seconds ago where it was asked lately."""
        if self._runs_here:
            return None
        if self._known is None or time.monotonic() - self._known[0] > self._fresh_s:
            try:
                seen_at = await self._database.everybody.read(upkeep.last_success)
            except DATABASE_FAILURES:  # which the check of the database reports
                return None
            is_absent = seen_at is None or self._clock() - seen_at > ABSENT_AFTER
            self._known = time.monotonic(), _sentence() if is_absent else None
        return self._known[1]


def _sentence() -> str:
    return f"no worker has run for {ABSENT_AFTER.total_seconds():.0f} s: uploads and pins stay queued until one runs"
