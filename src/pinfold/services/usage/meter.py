"""Counts in memory what happens too often to be written down each time, and hands it on in batches.

Nobody who is counted waits for the database.  While it is away counts pile up, within bounds; a killed process loses
those of its last few seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Final, Protocol

from pinfold.db import Database, usage
from pinfold.db.session import DATABASE_FAILURES
from pinfold.services.clock import Clock, utc_now
from pinfold.services.pulse import Pulse
from pinfold.telemetry import fields, logger

log = logger("usage")

FLUSH_S: Final = 3.0
"""What a killed process loses at most."""
MOST_KEPT: Final = 100_000  # different keys: about 20 MB; beyond that, new ones are not counted until a flush


class Meter(Protocol):
    """Something that counts."""

    async def flush(self) -> None:
        """Hand on what was counted.  Raises: the failures of the database, and keeps what could not be written."""


class RequestMeter:
    """API requests by organisation."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock
        self._counts: dict[tuple[date, str], int] = {}

    def count(self, organisation_id: str) -> None:
        """Count one request; called in the loop's thread."""
        _add(self._counts, (self._clock().date(), organisation_id), 1)

    async def flush(self) -> None:
        """See ``Meter``."""
        taken, self._counts = self._counts, {}
        try:
            for day, counts in _by_day(taken).items():
                requests = {organisation_id: {"requests": number} for organisation_id, number in counts.items()}
                await self._database.everybody.write(usage.add, day, requests)
                _drop(taken, day)
        finally:
            for key, number in taken.items():  # nothing, unless a write failed
                _add(self._counts, key, number)


class GatewayMeter:
    """What the gateway served, by root."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock
        self._requests: dict[tuple[date, str], int] = {}
        self._bytes: dict[tuple[date, str], int] = {}

    def count(self, root: str, sent_bytes: int, requests: int = 0) -> None:
        """Count bytes that were sent below ``root`` (a CIDv1), and requests that began; in the loop's thread."""
        key = (self._clock().date(), root)
        _add(self._bytes, key, sent_bytes)
        if requests:
            _add(self._requests, key, requests)

    async def flush(self) -> None:
        """See ``Meter``."""
        requests, self._requests = self._requests, {}
        sent, self._bytes = self._bytes, {}
        try:
            for day, by_root in _by_day(sent).items():
                traffic = {root: (requests.get((day, root), 0), size) for root, size in by_root.items()}
                await self._database.everybody.write(usage.add_traffic, day, traffic)
                _drop(sent, day)
                _drop(requests, day)
        finally:
            for key, size in sent.items():  # nothing, unless a write failed
                _add(self._bytes, key, size)
            for key, number in requests.items():
                _add(self._requests, key, number)


class Flusher:
    """Has meters hand on their counts every few seconds, and once more at the end."""

    def __init__(self, meters: Sequence[Meter], every_s: float = FLUSH_S) -> None:
        self.pulse = Pulse("counts")
        self._meters = meters
        self._every_s = every_s
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until ``stop``."""
        while not self._stopping.is_set():
            self.pulse.beat()
            try:
                async with asyncio.timeout(self._every_s):
                    await self._stopping.wait()
            except TimeoutError:
                await self._flush()
        await self._flush()  # what was counted while the last one ran is among it

    async def _flush(self) -> None:
        for meter in self._meters:
            try:
                await meter.flush()
            except DATABASE_FAILURES as exc:  # the next round may find it well again
                log.error("counts could not be written; they are kept", **{fields.ERROR: repr(exc)})

    def stop(self) -> None:
        """Hand on what there is and end."""
        self._stopping.set()


def _add(counts: dict[tuple[date, str], int], key: tuple[date, str], number: int) -> None:
    if key in counts:
        counts[key] += number
    elif len(counts) < MOST_KEPT:
        counts[key] = number


def _by_day(counts: dict[tuple[date, str], int]) -> dict[date, dict[str, int]]:
    days: dict[date, dict[str, int]] = {}
    for (day, name), number in counts.items():
        days.setdefault(day, {})[name] = number
    return days


def _drop(counts: dict[tuple[date, str], int], day: date) -> None:
    for key in [key for key in counts if key[0] == day]:
        del counts[key]
