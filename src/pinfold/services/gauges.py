"""Sets the gauges of ``/metrics``, seldom enough that nobody who asks can make it expensive."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from sqlalchemy.pool import QueuePool

from pinfold.core.errors import PinfoldError
from pinfold.db import Database, gauges
from pinfold.db.session import DATABASE_FAILURES
from pinfold.node import Node
from pinfold.services.clock import Clock, utc_now
from pinfold.services.threads import Threads
from pinfold.telemetry import fields, logger, metrics

log = logger("metrics")

FRESH_S: Final = 5.0
_PATIENCE_S: Final = 5.0  # whoever asks must have an answer before its own patience ends


class Gauges:
    """Looks numbers up in the database and the store."""

    def __init__(self, database: Database, node: Node, threads: Threads, clock: Clock = utc_now) -> None:
        self._database = database
        self._node = node
        self._threads = threads
        self._clock = clock
        self._lock = asyncio.Lock()
        self._looked_at: float | None = None

    async def refresh(self) -> None:
        """Have the gauges say how it stands now, or stood a moment ago.

        What cannot be looked up stays as it was; a counter tells of it.
        """
        async with self._lock:
            if self._looked_at is not None and time.monotonic() - self._looked_at < FRESH_S:
                return
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await self._look()
            except (TimeoutError, PinfoldError, *DATABASE_FAILURES) as exc:
                metrics.POLL_FAILURES.inc()
                log.warning("gauges could not be looked up", **{fields.ERROR: repr(exc)})
            self._looked_at = time.monotonic()

    async def _look(self) -> None:
        pool = self._database.engine.pool
        if isinstance(pool, QueuePool):
            metrics.DATABASE_CONNECTIONS.labels("in use").set(pool.checkedout())
            metrics.DATABASE_CONNECTIONS.labels("idle").set(pool.checkedin())
        found = await self._database.everybody.read(gauges.numbers, self._clock())
        metrics.ORGANISATIONS.set(found.organisations)
        metrics.FILES.set(found.files)
        metrics.LOGICAL_BYTES.set(found.logical_bytes)
        for status, number in found.pins.items():
            metrics.PINS.labels(status).set(number)
        metrics.RECONCILIATION_BACKLOG.set(found.reconciliations)
        metrics.RECONCILIATION_AGE.set(found.reconciliations_age_s)
        metrics.WEBHOOK_BACKLOG.set(found.deliveries)
        metrics.WEBHOOK_AGE.set(found.deliveries_age_s)
        store = await self._threads.run(self._node.store.numbers)
        metrics.STORE_BYTES.set(store.disk_bytes)
        metrics.STORE_BLOCKS.set(store.blocks)
        metrics.STORE_PINS.set(store.pins)
        metrics.STORE_DAMAGED.set(store.damaged_blocks)
