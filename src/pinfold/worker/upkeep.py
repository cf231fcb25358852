"""Work that is done again and again: of all processes on one database, one does each of it.

A row in the database says when each is due next and who holds it.  A lease rather than an advisory lock: it is the same
on both databases, it outlives restarts (what ran an hour ago is not run again at every start), and it can be looked at.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pinfold.db import Database, upkeep
from pinfold.db.session import DATABASE_FAILURES
from pinfold.services.clock import Clock, utc_now
from pinfold.services.pulse import Pulse
from pinfold.telemetry import fields, logger, metrics

log = logger("upkeep")

POLL_S: Final = 5.0
LEASE: Final = timedelta(seconds=60)  # of a killed process; a living one extends it
_AFTER_FAILURE: Final = timedelta(seconds=60)  # or the job's own period, where that is shorter
_ERROR_CHARACTERS: Final = 500


@dataclass(frozen=True, slots=True)
class Periodic:
    """Work to be done every ``every_s`` seconds.  It may be killed anywhere and begun anew."""

    name: str
    every_s: float
    job: Callable[[], Awaitable[object]]


class Upkeep:
    """Does periodic work until it is stopped."""

    def __init__(
        self,
        database: Database,
        jobs: Sequence[Periodic],
        *,
        owner: str,
        poll_s: float = POLL_S,
        clock: Clock = utc_now,
    ) -> None:
        """``owner`` names this process in leases.  Raises: ValueError for two jobs of one name."""
        self.pulse = Pulse("upkeep")
        self._database = database
        self._jobs = {job.name: job for job in jobs}
        if len(self._jobs) != len(jobs):
            raise ValueError("two periodic jobs have one name")
        self._owner = owner
        self._poll_s = poll_s
        self._clock = clock
        self._stopping = asyncio.Event()
        self._is_known = False
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, stop_grace_s: float = 10.0) -> None:
        """Work until ``stop``; then jobs that run have ``stop_grace_s`` to end, and are broken off."""
        try:
            while not self._stopping.is_set():
                self.pulse.beat()
                try:
                    await self._begin_due()
                except DATABASE_FAILURES as exc:  # the next round may find it well again
                    log.error("cannot look for periodic work", **{fields.ERROR: repr(exc)})
                try:
                    async with asyncio.timeout(self._poll_s):
                        await self._stopping.wait()
                except TimeoutError:
                    pass
        finally:
            await self._finish(stop_grace_s)

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()

    async def run_due(self) -> list[str]:
        """Do what is due now, each once; its names."""
        begun = await self._begin_due()
        await asyncio.gather(*begun.values())
        return list(begun)

    async def _begin_due(self) -> dict[str, asyncio.Task[None]]:
        """Begin what is due and done by nobody: side by side, so that long work does not hold up short."""
        everybody, names = self._database.everybody, list(self._jobs)
        if not names:
            return {}
        if not self._is_known:  # once: nobody removes the rows
            await everybody.write(upkeep.known, names, self._clock())
            self._is_known = True
        begun = {}
        for name in await everybody.read(upkeep.due, names, self._clock()):
            now = self._clock()
            if not self._stopping.is_set() and await everybody.write(upkeep.lease, name, self._owner, now, now + LEASE):
                begun[name] = task = asyncio.create_task(self._run_one(self._jobs[name]))
                self._running.add(task)
                task.add_done_callback(self._ended)
        return begun

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("an outcome could not be recorded; the lease runs out by itself", **{fields.ERROR: repr(exc)})

    async def _finish(self, grace_s: float) -> None:
        if not self._running:
            return
        late = set(self._running)
        await asyncio.wait(late, timeout=grace_s)
        for task in late:
            task.cancel()
        await asyncio.wait(late)

    async def _run_one(self, periodic: Periodic) -> None:
        began, began_at = time.monotonic(), self._clock()
        period = timedelta(seconds=periodic.every_s)
        keeper = asyncio.create_task(self._keep_lease(periodic.name))
        error: str | None = None
        due_at = began_at + period
        try:
            await periodic.job()
        except asyncio.CancelledError:
            await self._settle(periodic.name, began_at, "it was broken off")  # due: others may do it at once
            raise
        except Exception as exc:  # around a job: one that fails must not stop the others
            error = f"{type(exc).__name__}: {exc}"[:_ERROR_CHARACTERS].replace("\0", " ")
            due_at = self._clock() + min(period, _AFTER_FAILURE)
            trace = None if isinstance(exc, DATABASE_FAILURES) else exc  # a database that is away needs none
            log.error("periodic work failed", exc_info=trace, **{fields.JOB: periodic.name, fields.ERROR: repr(exc)})
        finally:
            keeper.cancel()
        metrics.PERIODIC_RUNS.labels(periodic.name, "failed" if error else "succeeded").inc()
        metrics.PERIODIC_DURATION.labels(periodic.name).set(time.monotonic() - began)
        await self._settle(periodic.name, due_at, error)

    async def _settle(self, name: str, due_at: datetime, error: str | None) -> None:
        succeeded_at = self._clock() if error is None else None
        await self._database.everybody.write(
            upkeep.settle, name, self._owner, due_at, succeeded_at=succeeded_at, error=error
        )

    async def _keep_lease(self, name: str) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            try:
                await self._database.everybody.write(upkeep.extend, name, self._owner, self._clock() + LEASE)
            except DATABASE_FAILURES as exc:
                log.error("cannot extend a lease", **{fields.JOB: name, fields.ERROR: repr(exc)})
