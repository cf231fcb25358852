"""The loop that does background jobs, one after the other, until it is stopped.

A job is held by a lease: a process that is killed lets it run out, and another begins the job anew.  One that killed
several processes is given up.
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
_MOST_ATTEMPTS: Final = 3


class BackgroundRunner:
    """Does jobs of the kinds that it has work for."""

    def __init__(
        self,
        database: Database,
        kinds: Mapping[str, Work],
        *,
        owner: str,
        poll_s: float = POLL_S,
        clock: Clock = utc_now,
    ) -> None:
        self.pulse = Pulse("jobs")
        self._database = database
        self._kinds = dict(kinds)
        self._owner = owner
        self._poll_s = poll_s
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
        """Work until ``stop``; then the job that runs has ``stop_grace_s`` to end, and is given back."""
        while not self._stopping:
            self.pulse.beat()
            self._wake.clear()
            row = await self._lease()
            if row is not None:
                await self._do(row, stop_grace_s)
                continue
            try:
                async with asyncio.timeout(self._poll_s):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def run_one(self) -> bool:
        """Whether there was a job; it is done then."""
        row = await self._lease()
        if row is not None:
            await self._do(row, 0.0)
        return row is not None

    async def _lease(self) -> BackgroundJobRow | None:
        now = self._clock()
        try:
            return await self._database.everybody.write(
                background_jobs.lease, self._owner, list(self._kinds), now, now + LEASE
            )
        except DATABASE_FAILURES as exc:  # the next round may find it well again
            log.error("cannot take a job", **{fields.ERROR: repr(exc)})
            return None

    async def _do(self, row: BackgroundJobRow, stop_grace_s: float) -> None:
        if row.attempts > _MOST_ATTEMPTS:
            return await self._finish(row, None, "it broke off several times, and is not tried again")
        work = asyncio.create_task(self._attempt(row))
        keeper = asyncio.create_task(self._keep_lease(row.id))
        try:
            while not work.done():
                self.pulse.beat()
                stopping = asyncio.create_task(self._stop_asked())
                await asyncio.wait((work, stopping), timeout=self._poll_s, return_when=asyncio.FIRST_COMPLETED)
                stopping.cancel()
                if self._stopping:
                    await asyncio.wait((work,), timeout=stop_grace_s)
                    break
            if not work.done():
                work.cancel()
                await asyncio.wait((work,))
                await self._database.everybody.write(background_jobs.give_back, self._owner, row.id)
        finally:
            keeper.cancel()

    async def _stop_asked(self) -> None:
        while not self._stopping:
            self._wake.clear()
            await self._wake.wait()

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
