"""The loop that does background jobs, a few at a time and one of each organisation, until it is stopped.

A job is held by a lease: a process that is killed lets it run out, and another begins the job anew.  One that broke off
twice is given up: it may be what killed the processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from pinfold.core.errors import DatabaseUnavailable, PinfoldError
from pinfold.db import Database, background_jobs
from pinfold.db.models import BackgroundJobRow
from pinfold.db.session import DATABASE_FAILURES
from pinfold.services.clock import Clock, utc_now
from pinfold.services.pulse import Pulse
from pinfold.telemetry import fields, logger

log = logger("worker")

Work = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Takes the organisation and the argument, gives the result."""

LEASE: Final = timedelta(seconds=60)
POLL_S: Final = 1.0  # other processes queue jobs without waking this one
AT_ONCE: Final = 2  # one that is long leaves a place for the others; a job is mostly one busy thread
_MOST_ATTEMPTS: Final = 2


class BackgroundRunner:
    """Does jobs of the kinds that it has work for."""

    def __init__(
        self,
        database: Database,
        kinds: Mapping[str, Work],
        *,
        owner: str,
        poll_s: float = POLL_S,
        at_once: int = AT_ONCE,
        clock: Clock = utc_now,
    ) -> None:
        self.pulse = Pulse("jobs")
        self._database = database
        self._kinds = dict(kinds)
        self._owner = owner
        self._poll_s = poll_s
        self._at_once = at_once
        self._served_last = ""
        self._running: dict[asyncio.Task[None], BackgroundJobRow] = {}
        self._clock = clock
        self._wake = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Say that there is a job; called in the loop's thread."""
        self._wake.set()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping = True
        self._wake.set()

    async def run(self, stop_grace_s: float = 10.0) -> None:
        """Work until ``stop``; then the jobs that run have ``stop_grace_s`` to end, and are given back."""
        try:
            while not self._stopping:
                self.pulse.beat()
                self._wake.clear()
                row = await self._lease() if len(self._running) < self._at_once else None
                if row is not None:
                    self._begin(row)
                    continue
                try:
                    async with asyncio.timeout(self._poll_s):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        finally:
            await self._finish_running(stop_grace_s)

    async def run_one(self) -> bool:
        """Whether there was a job; it is done then."""
        row = await self._lease()
        if row is not None:
            await self._do(row)
        return row is not None

    async def _lease(self) -> BackgroundJobRow | None:
        now = self._clock()
        try:
            row = await self._database.everybody.write(
                background_jobs.lease, self._owner, list(self._kinds), now, now + LEASE, self._served_last
            )
        except DATABASE_FAILURES as exc:  # the next round may find it well again
            log.error("cannot take a job", **{fields.ERROR: repr(exc)})
            return None
        if row is not None:
            self._served_last = row.organisation_id
        return row

    def _begin(self, row: BackgroundJobRow) -> None:
        task = asyncio.create_task(self._do(row))
        self._running[task] = row
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._wake.set()

    async def _finish_running(self, grace_s: float) -> None:
        late = dict(self._running)
        if not late:
            return
        await asyncio.wait(late, timeout=grace_s)
        broken_off = [row for task, row in late.items() if not task.done()]
        for task in late:
            task.cancel()
        await asyncio.wait(late)
        for row in broken_off:
            await self._give_back(row)

    async def _do(self, row: BackgroundJobRow) -> None:
        if row.attempts > _MOST_ATTEMPTS:
            return await self._finish(row, None, "it broke off several times, and is not tried again")
        keeper = asyncio.create_task(self._keep_lease(row.id))
        try:
            await self._attempt(row)
        finally:
            keeper.cancel()

    async def _give_back(self, row: BackgroundJobRow) -> None:
        try:
            await self._database.everybody.write(background_jobs.give_back, self._owner, row.id)
        except DATABASE_FAILURES as exc:
            log.error("a lease could not be given back; it runs out by itself", **{fields.ERROR: repr(exc)})

    async def _attempt(self, row: BackgroundJobRow) -> None:
        try:
            result = await self._kinds[row.kind](row.organisation_id, row.argument)
        except DatabaseUnavailable as exc:  # its lease runs out, and it is done once more
            log.error("job broken off", **{fields.JOB: row.kind, fields.ERROR: str(exc)})
        except PinfoldError as exc:
            await self._finish(row, None, str(exc))
        except Exception as exc:  # around a job: one that fails must not stop the others
            log.error("job failed", exc_info=exc, **{fields.JOB: row.kind, fields.ERROR: repr(exc)})
            await self._finish(row, None, "the server failed at this job; its log says why")
        else:
            await self._finish(row, result, None)

    async def _finish(self, row: BackgroundJobRow, result: dict[str, Any] | None, error: str | None) -> None:
        try:
            await self._database.everybody.write(
                background_jobs.finish, self._owner, row.id, self._clock(), result=result, error=error
            )
        except DATABASE_FAILURES as exc:  # its lease runs out, and it is done once more
            log.error("cannot record a job", **{fields.ERROR: repr(exc)})

    async def _keep_lease(self, job_id: str) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            try:
                await self._database.everybody.write(background_jobs.extend, self._owner, job_id, self._clock() + LEASE)
            except DATABASE_FAILURES as exc:
                log.error("cannot extend a lease", **{fields.JOB: job_id, fields.ERROR: repr(exc)})
