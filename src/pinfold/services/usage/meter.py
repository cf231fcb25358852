"""Counts in memory what happens too often to be written down each time, and hands it on in batches.

Nobody who is counted waits for the database to be written to.  While it is away counts pile up, within bounds; a killed
process loses those of its last few seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple, Protocol

from pinfold.db import Database, usage
from pinfold.db.session import DATABASE_FAILURES
from pinfold.services.clock import Clock, utc_now
from pinfold.services.pulse import Pulse
from pinfold.telemetry import fields, logger

log = logger("usage")

FLUSH_S: Final = 3.0
"""What a killed process loses at most."""
FRESH_S: Final = 5.0
"""How old what this process knows of the requests that others counted may become."""
MOST_KEPT: Final = 100_000  # different keys: about 20 MB; beyond that, new ones are not counted until a flush


class Meter(Protocol):
    """Something that counts."""

    async def flush(self) -> None:
        """Hand on what was counted.  Raises: the failures of the database, and keeps what could not be written."""


class _Known(NamedTuple):
    """What stands in the database of a day's requests, as far as is known here."""

    number: int
    read_at: float
    """By the loop's clock."""


class RequestMeter:
    """API requests by organisation, as they come in."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock
        self._counts: dict[tuple[date, str], int] = {}
        self._on_the_way: dict[tuple[date, str], int] = {}
        self._known: dict[tuple[date, str], _Known] = {}
        self._asking = asyncio.Lock()  # what is on its way must not be read as well as added

    def count(self, organisation_id: str) -> None:
        """Count one request; called in the loop's thread."""
        _add(self._counts, (self._clock().date(), organisation_id), 1)

    async def today(self, organisation_id: str) -> int:
        """The organisation's requests of this day (UTC): what was written down, and what this process counted since.

        What other processes count is seen once they have written it down, at most ``FLUSH_S`` and ``FRESH_S`` later.
        Where the database cannot be asked it is what is known, which may be less than there were.
        """
        key = (self._clock().date(), organisation_id)
        known = self._known.get(key)
        # Nobody waits for a flush, but at an organisation's first request: then nothing at all is known.
        if known is None or (self._is_old(known) and not self._asking.locked()):
            async with self._asking:
                known = await self._look_up(key)
        return (known.number if known else 0) + self._on_the_way.get(key, 0) + self._counts.get(key, 0)

    async def _look_up(self, key: tuple[date, str]) -> _Known | None:
        known = self._known.get(key)
        if known is not None and not self._is_old(known):
            return known  # of many who wait, one asks
        try:
            number = await self._database.everybody.read(usage.requests_on, key[1], key[0])
        except DATABASE_FAILURES as exc:
            log.error("requests of the day could not be looked up", **{fields.ERROR: repr(exc)})
            return known
        if not any(day == key[0] for day, _ in self._known):
            self._known.clear()  # a new day: nobody asks for the old one any more
        self._known[key] = _Known(number, asyncio.get_running_loop().time())
        return self._known[key]

    def _is_old(self, known: _Known) -> bool:
        return asyncio.get_running_loop().time() - known.read_at > FRESH_S

    async def flush(self) -> None:
        """See ``Meter``."""
        async with self._asking:
            self._on_the_way, self._counts = self._counts, {}
            try:
                for day, counts in _by_day(self._on_the_way).items():
                    requests = {organisation_id: {"requests": number} for organisation_id, number in counts.items()}
                    await self._database.everybody.write(usage.add, day, requests)
                    self._written(day, counts)
            finally:
                for key, number in self._on_the_way.items():  # nothing, unless a write failed
                    _add(self._counts, key, number)
                self._on_the_way = {}

    def _written(self, day: date, counts: Mapping[str, int]) -> None:
        for organisation_id, number in counts.items():
            if (known := self._known.get((day, organisation_id))) is not None:
                self._known[day, organisation_id] = known._replace(number=known.number + number)
        _drop(self._on_the_way, day)


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
