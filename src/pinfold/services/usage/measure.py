"""How many bytes each organisation keeps alone, and how many together with others.

Every pin of the store knows its blocks as a bitmap of ids, so this is set arithmetic: per organisation the union of its
pins' bitmaps, then differences.  All are measured together, for what is one's alone depends on the others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final

from pinfold.core.errors import Stopped
from pinfold.db import Database, usage
from pinfold.node import Node
from pinfold.node.footprint import reached, shares
from pinfold.services.clock import Clock, utc_now
from pinfold.services.threads import Threads

FRESH: Final = timedelta(seconds=1)
"""Whoever asks for a measurement gets the last one, if it is no older, or no older than ten times what it took: anybody
may ask, and it takes work."""
_PAGE: Final = 5000  # about 50 ms of work
_PAUSE_S: Final = 0.05  # between pages: requests in this process need the interpreter too


class Measurer:
    """Measures, in a thread, and writes the result to the day's row of each organisation."""

    def __init__(self, database: Database, node: Node, threads: Threads, clock: Clock = utc_now) -> None:
        self._database = database
        self._node = node
        self._threads = threads
        self._clock = clock
        self._lock = asyncio.Lock()
        self._measured_at: datetime | None = None
        self._fresh = FRESH

    async def measure(self) -> datetime:
        """When it was measured: now, or a moment ago.  Raises: the failures of the database and the store."""
        async with self._lock:
            now = self._clock()
            if self._measured_at is None or not now - self._fresh <= self._measured_at <= now:
                await self._measure(now)
            return self._measured_at or now

    async def measure_now(self) -> None:
        """Measure, however fresh the last one is."""
        async with self._lock:
            await self._measure(self._clock())

    async def _measure(self, now: datetime) -> None:
        began = time.monotonic()
        await self._threads.run(lambda: self._work(now.date(), now))
        self._measured_at = now
        self._fresh = max(FRESH, 10 * timedelta(seconds=time.monotonic() - began))

    def _work(self, day: date, now: datetime) -> None:
        everybody, store = self._database.everybody, self._node.store
        ids = everybody.read_now(usage.organisations)
        found = shares(store, ids, lambda one: reached(store, self._roots(one)))
        if self._threads.stopping.is_set():
            raise Stopped("the server stops; nothing was measured")
        measured = {one: (alone.bytes, together.bytes) for one, (alone, together) in found.items()}
        everybody.write_now(usage.put_measured, day, now, measured)

    def _roots(self, organisation_id: str) -> Iterator[str]:
        last = ""
        while not self._threads.stopping.is_set():
            # Pages, so that no read of the database stays open for long.
            page = self._database.everybody.read_now(usage.pinned_roots, organisation_id, last, _PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            last = page[-1]
            self._threads.stopping.wait(_PAUSE_S)
