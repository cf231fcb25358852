"""Background jobs as their owners see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pinfold.core.errors import RecordNotFound, TooManyRequests
from pinfold.db import Database, background_jobs
from pinfold.db.models import BackgroundJobRow
from pinfold.services.accounts import Caller
from pinfold.services.clock import Clock, utc_now

KEPT: Final = timedelta(days=7)
"""How long a result can be read."""
_MOST_WAITING: Final = 20  # of one kind and organisation: a worker does one after the other


@dataclass(frozen=True, slots=True)
class Job:
    """One job."""

    id: str
    kind: str
    status: str
    """``queued``, ``running``, ``done`` or ``failed``."""
    argument: dict[str, Any]
    result: dict[str, Any] | None
    """None until it is done."""
    error: str | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of_row(cls, row: BackgroundJobRow) -> Job:
        """The job that a row holds."""
        return cls(
            id=row.id,
            kind=row.kind,
            status=row.status,
            argument=row.argument,
            result=row.result if row.status == "done" else None,
            error=row.error,
            created_at=row.created_at,
            finished_at=row.finished_at,
        )


class BackgroundService:
    """Queues jobs and tells what became of them."""

    def __init__(self, database: Database, wake: Callable[[], None], clock: Clock = utc_now) -> None:
        self._database = database
        self._wake = wake
        self._clock = clock

    async def submit(self, caller: Caller, kind: str, argument: dict[str, Any]) -> Job:
        """A new job, queued.  Raises: TooManyRequests where many of the kind wait already."""
        bound = self._database.of(caller.organisation_id)
        if await bound.read(background_jobs.waiting, kind, _MOST_WAITING) >= _MOST_WAITING:
            raise TooManyRequests(f"{_MOST_WAITING} such jobs wait already", hint="Ask again when some are done.")
        row = await bound.write(background_jobs.insert, kind, argument, self._clock())
        self._wake()
        return Job.of_row(row)

    async def get(self, caller: Caller, job_id: str) -> Job:
        """One job.  Raises: RecordNotFound."""
        row = await self._database.of(caller.organisation_id).read(background_jobs.get, job_id)
        if row is None:
            raise RecordNotFound(f"there is no job {job_id}")
        return Job.of_row(row)

    async def prune(self) -> None:
        """Forget jobs whose results nobody needs any more."""
        await self._database.everybody.write(background_jobs.prune, self._clock() - KEPT)
