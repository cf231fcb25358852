"""The loop that delivers events to webhooks, by turns of the organisations.

An organisation has an eighth of the places at most, and all whose receivers are slow have half of them together: so
many slow receivers, of however many organisations, leave the other half to receivers that answer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from pinfold.db.session import DATABASE_FAILURES
from pinfold.db.webhooks import Leased, Passed, Shares
from pinfold.services.pulse import Pulse
from pinfold.services.webhooks import Deliverer
from pinfold.telemetry import fields, logger

log = logger("webhooks")

POLL_S: Final = 1.0
"""How soon an event of another process is seen; those of this one wake the loop."""
_AFTER_FAILURE_S: Final = 1.0  # the database could not be asked; do not spin
AT_ONCE: Final = 64  # deliveries; each is a connection that waits, and a body of a few KB
_MOST_OF_ONE: Final = 4  # deliveries to one webhook at once: a slow receiver leaves room for the others
_PART_OF_ONE: Final = 8  # an organisation has an eighth of all places at most
_SLOW_S: Final = 2.0  # an attempt that takes longer makes its organisation slow: slow ones share half of the places,
_SLOW_FOR_S: Final = 300.0  # for so long
_REST: Final = 10  # one that did not answer is left alone for so many times what the attempt took,
_LEAST_REST_S: Final = 0.5  # at least so long: a refusal takes milliseconds, and recording it is work as well,
_MOST_REST_S: Final = 30.0  # and at most so long: then it is asked again, whatever else is due to it


class WebhookWorker:
    """Carries out leased deliveries, ``concurrency`` at a time, until it is stopped."""

    def __init__(self, deliverer: Deliverer, *, concurrency: int = AT_ONCE, poll_s: float = POLL_S) -> None:
        self.pulse = Pulse("webhooks")
        self._deliverer = deliverer
        self._concurrency = concurrency
        self._poll_s = poll_s
        self._wake = asyncio.Event()
        self._stopping = False
        self._running: dict[asyncio.Task[None], Leased] = {}
        self._left_alone: dict[str, float] = {}
        self._slow: dict[str, float] = {}
        """Until when organisations are slow."""
        self._served_last = ""

    def wake(self) -> None:
        """Say that there may be work; called in the loop's thread."""
        self._wake.set()

    async def run(self, stop_grace_s: float = 10.0) -> None:
        """Work until ``stop``; then running attempts have ``stop_grace_s`` to end, and the rest is given back."""
        try:
            while not self._stopping:
                self.pulse.beat()
                self._wake.clear()
                await self._sleep(await self._take_work())
        finally:
            await self._finish(stop_grace_s)
            await self._deliverer.close()

    def stop(self) -> None:
        """Take no more work."""
        self._stopping = True
        self._wake.set()

    async def _take_work(self) -> float:
        """Begin what is due; the seconds to sleep where nobody wakes us."""
        free = self._concurrency - len(self._running)
        if free <= 0:
            return self._poll_s  # the end of an attempt wakes us
        try:
            passed = self._not_now()
            # A look before the write that a lease is: mostly nothing is due.
            if (seconds := await self._deliverer.seconds_to_next(passed)) is None or seconds > 0:
                return min(seconds if seconds is not None else self._poll_s, self._poll_s, self._to_end_of_rest())
            taken = await self._deliverer.lease(free, passed, self._shares())
        except DATABASE_FAILURES as exc:  # the next round may find it well again
            log.error("cannot take webhook deliveries", **{fields.ERROR: repr(exc)})
            return _AFTER_FAILURE_S
        for leased in taken:
            self._served_last = leased[1].id
            task = asyncio.create_task(self._work(leased))
            self._running[task] = leased
            task.add_done_callback(self._ended)
        return self._poll_s

    def _not_now(self) -> Passed:
        now = asyncio.get_running_loop().time()
        self._left_alone = {one: until for one, until in self._left_alone.items() if until > now}
        of_each = Counter(leased[1].id for leased in self._running.values())
        busy = frozenset(one for one, number in of_each.items() if number >= self._most_of(one))
        # Who sends something again mostly does so because the receiver is back.
        return Passed(over=busy, but_by_hand=frozenset(self._left_alone))

    def _shares(self) -> Shares:
        now = asyncio.get_running_loop().time()
        self._slow = {one: until for one, until in self._slow.items() if until > now}
        return Shares(
            of_organisation=max(_MOST_OF_ONE + 1, self._concurrency // _PART_OF_ONE),
            of_webhook=_MOST_OF_ONE,
            of_all_slow=max(1, self._concurrency // 2),
            slow=frozenset(self._slow),
            held=Counter(leased[1].organisation_id for leased in self._running.values()),
            held_by_webhook=Counter(leased[1].id for leased in self._running.values()),
            after=self._served_last,
        )

    def _most_of(self, webhook_id: str) -> int:
        return 1 if webhook_id in self._left_alone else _MOST_OF_ONE

    def _to_end_of_rest(self) -> float:
        now = asyncio.get_running_loop().time()
        return max(0.0, min(self._left_alone.values(), default=now + self._poll_s) - now)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._wake.set()
        if not task.cancelled() and (exc := task.exception()) is not None:
            log.error("a delivery could not be recorded; its lease runs out by itself", **{fields.ERROR: repr(exc)})

    async def _work(self, leased: Leased) -> None:
        attempt = await self._deliverer.carry_out(leased)
        if attempt.duration_ms >= _SLOW_S * 1000:
            self._slow[leased[1].organisation_id] = asyncio.get_running_loop().time() + _SLOW_FOR_S
        if attempt.was_unreachable:
            rest_s = min(max(_REST * attempt.duration_ms / 1000, _LEAST_REST_S), _MOST_REST_S)
            self._left_alone[leased[1].id] = asyncio.get_running_loop().time() + rest_s
        else:
            self._left_alone.pop(leased[1].id, None)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _finish(self, grace_s: float) -> None:
        if not self._running:
            return
        late = dict(self._running)
        await asyncio.wait(late, timeout=grace_s)
        for task, leased in late.items():
            if not task.done():
                task.cancel()
                try:
                    await self._deliverer.release(leased)
                except DATABASE_FAILURES as exc:
                    log.error("a lease could not be given back; it runs out by itself", **{fields.ERROR: repr(exc)})
