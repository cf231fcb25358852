"""The loop that takes due work, does some of it at once, and sleeps until there is more."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from pinfold.db.reconciliations import Lane
from pinfold.db.session import DATABASE_FAILURES
from pinfold.services.pins.jobs import LEASE, Lease, Reconciler
from pinfold.services.pulse import Pulse
from pinfold.telemetry import fields, logger, metrics

log = logger("worker")

_LONGEST_SLEEP_S: Final = 0.5  # other processes may make work without waking this one
_LONGEST_PAUSE_S: Final = 0.25
_PAUSE_PER_LEASE_S: Final = 0.01
"""A lease of many costs little more than one of one.  So there is a pause after each, the longer the more come, which
ends early when half of the places are free and more is known to wait."""
_FETCH_S: Final = 10.0
"""How long a fetch goes on undisturbed: then it is broken off for an organisation that has none, and resumed later."""
_LOOK_FOR_OTHERS_S: Final = 1.0
_AFTER_FAILURE_S: Final = 1.0  # the database could not be asked; do not spin


class Worker:
    """Carries out leased reconciliations until stopped: ``concurrency`` at a time, and ``fetches`` beside them."""

    def __init__(self, reconciler: Reconciler, *, concurrency: int, fetches: int = 4) -> None:
        self.pulse = Pulse("pins")
        self._reconciler = reconciler
        self._limits = {Lane.LOOK: concurrency, Lane.FETCH: fetches}
        self._wake = asyncio.Event()
        self._stopping = False
        self._paused_until = 0.0
        self._is_behind = False
        self._running: dict[asyncio.Task[None], Lease] = {}
        self._since: dict[asyncio.Task[None], float] = {}
        self._others_at = 0.0
        """When to look again for organisations that wait for others' fetches."""

    def wake(self) -> None:
        """Say that there is work; called in the loop's thread."""
        self._wake.set()

    async def run(self, stop_grace_s: float = 10.0) -> None:
        """Work until ``stop``; then running jobs have ``stop_grace_s`` to end, and the rest is given back."""
        keeper = asyncio.create_task(self._keep_leases())
        self._wake.set()
        try:
            while not self._stopping:
                self.pulse.beat()
                was_woken = self._wake.is_set()
                self._wake.clear()
                await self._sleep(await self._take_work(ask_first=not was_woken))
        finally:
            keeper.cancel()
            await self._finish(stop_grace_s)

    def stop(self) -> None:
        """Take no more work."""
        self._stopping = True
        self._wake.set()

    async def _take_work(self, *, ask_first: bool) -> float | None:
        """Begin what is due; the seconds to sleep where nobody wakes us, 0 when there may be more.

        With ``ask_first`` nothing is written where nothing is due.
        """
        running = Counter(lease.lane for lease in self._running.values())
        free = {lane: limit - running[lane] for lane, limit in self._limits.items()}
        if free[Lane.FETCH] <= 0:
            await self._make_way()
        pause_s = self._paused_until - asyncio.get_running_loop().time()
        if pause_s > 0 and not (self._is_behind and free[Lane.LOOK] >= self._limits[Lane.LOOK] / 2):
            return pause_s
        lanes = [lane for lane in Lane if free[lane] > 0]
        if not lanes:
            return None  # the end of a job wakes us
        try:
            if ask_first and (wait_s := await self._reconciler.seconds_to_next(lanes)) != 0:
                return wait_s
            leases = await self._reconciler.lease(free[Lane.LOOK], free[Lane.FETCH], self._fetching())
            if not leases:
                return await self._reconciler.seconds_to_next(lanes) or _LONGEST_SLEEP_S
        except DATABASE_FAILURES as exc:  # the next round may find it well again
            log.error("cannot take work", **{fields.ERROR: repr(exc)})
            return _AFTER_FAILURE_S
        pause_s = min(_LONGEST_PAUSE_S, _PAUSE_PER_LEASE_S * len(leases))
        self._paused_until = asyncio.get_running_loop().time() + pause_s
        self._is_behind = sum(lease.lane is Lane.LOOK for lease in leases) == free[Lane.LOOK]
        for lease in leases:
            task = asyncio.create_task(self._work(lease))
            self._running[task] = lease
            self._since[task] = asyncio.get_running_loop().time()
            task.add_done_callback(self._ended)
        return 0.0

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._since.pop(task, None)
        self._wake.set()
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("job could not be put off; its lease runs out by itself", **{fields.ERROR: repr(exc)})

    async def _work(self, lease: Lease) -> None:
        try:
            await self._reconciler.carry_out(lease)
        except Exception as exc:  # around a job: one bad CID must not stop the others
            trace = None if isinstance(exc, DATABASE_FAILURES) else exc  # a database that is away needs none
            log.error("job failed", exc_info=trace, **{fields.CID: str(lease.cid), fields.ERROR: repr(exc)})
            metrics.RECONCILIATIONS.labels("broke").inc()
            await self._reconciler.put_off(lease)
        else:
            metrics.RECONCILIATIONS.labels("carried out").inc()

    def _fetching(self) -> Counter[str]:
        """How many fetches of each organisation run."""
        return Counter(lease.organisation_id for lease in self._running.values() if lease.lane is Lane.FETCH)

    async def _make_way(self) -> None:
        """Where an organisation waits that has no fetch, break off a long one of those that have most."""
        now = asyncio.get_running_loop().time()
        if now < self._others_at:
            return
        self._others_at = now + _LOOK_FOR_OTHERS_S
        fetching = self._fetching()
        long = [
            (-fetching[lease.organisation_id], self._since[task], lease.cid)
            for task, lease in self._running.items()
            if lease.lane is Lane.FETCH and now - self._since[task] >= _FETCH_S
        ]
        try:
            if long and (await self._reconciler.waiting_to_fetch()).difference(fetching):
                *_, cid = min(long)
                log.info("fetch makes way for another organisation's", **{fields.CID: str(cid)})
                self._reconciler.interrupt(cid)
        except DATABASE_FAILURES as exc:
            log.error("cannot see who waits", **{fields.ERROR: repr(exc)})

    async def _sleep(self, seconds: float | None) -> None:
        timeout_s = _LONGEST_SLEEP_S if seconds is None else min(seconds, _LONGEST_SLEEP_S)
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            if self._running:
                try:
                    await self._reconciler.extend(list(self._running.values()))
                except DATABASE_FAILURES as exc:
                    log.error("cannot extend leases", **{fields.ERROR: repr(exc)})

    async def _finish(self, grace_s: float) -> None:
        if not self._running:
            return
        late = dict(self._running)
        for task, lease in late.items():
            if lease.lane is Lane.FETCH:  # may take hours, and goes on later from where it stands
                task.cancel()
        await asyncio.wait(late, timeout=grace_s)
        for task, lease in late.items():
            if not task.done() or task.cancelled():
                task.cancel()
                await self._reconciler.release(lease)
