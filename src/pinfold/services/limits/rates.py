"""Rate limits: so many requests and uploads in a window, for each organisation, and for each address without a token.

Tokens and sessions are free to make, so the limits of a plan count all that an organisation sends.

Windows are aligned to the clock, so that every process counts in the same one and all know when it ends.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from pinfold.core.client_network import client_network
from pinfold.services.accounts.model import Caller, Rates
from pinfold.services.limits.counters import Counter, MemoryCounter

ANONYMOUS: Final = Rates(uploads=10, requests=100, window_s=900)
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody stands with the limit that is nearest to its end."""

    limit: int
    remaining: int
    reset_s: int
    """Seconds until the window ends."""
    window_s: int
    noun: str
    is_over: bool


class Days(Protocol):
    """Who knows how many requests an organisation made today, whatever was restarted since."""

    async def today(self, organisation_id: str) -> int:
        """Requests of this day (UTC), the one that is counted now included."""
        ...


class RatesService:
    """Counts requests against the limits of whoever makes them."""

    def __init__(
        self,
        counter: Counter | None = None,
        *,
        days: Days | None = None,
        anonymous: Rates = ANONYMOUS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._counter = counter or MemoryCounter(clock)
        self._days = days
        self._anonymous = anonymous
        self._clock = clock

    async def take(self, caller: Caller, *, is_upload: bool) -> Standing | None:
        """Count a request of an organisation, by whichever token; None where nothing limits it."""
        rates, standings = caller.rates, []
        subject = f"of-organisation:{caller.organisation_id}"  # not the key of the day: a window may be a day long
        if rates.requests_per_day is not None:
            standings.append(await self._count_of_day(caller.organisation_id, rates.requests_per_day))
        if rates.requests is not None:
            standings.append(await self._count("requests", subject, rates.requests, rates.window_s))
        if is_upload and rates.uploads is not None:
            standings.append(await self._count("uploads", subject, rates.uploads, rates.window_s))
        return _nearest(standings)

    async def take_anonymous(self, address: str) -> Standing | None:
        """Count a request without a good token; None where nothing limits those."""
        rates = self._anonymous
        if rates.requests is None:
            return None
        return await self._count("requests", f"address:{client_network(address)}", rates.requests, rates.window_s)

    async def close(self) -> None:
        """Let go of connections."""
        await self._counter.close()

    async def _count_of_day(self, organisation_id: str, limit: int) -> Standing:
        """A day is long: its count must outlive this process, and a Redis that forgot."""
        standing = await self._count("requests", f"organisation:{organisation_id}", limit, _DAY_S)
        if self._days is None:
            return standing
        number = await self._days.today(organisation_id)
        return replace(
            standing,
            remaining=min(standing.remaining, max(0, limit - number)),
            is_over=standing.is_over or number > limit,
        )

    async def _count(self, noun: str, subject: str, limit: int, window_s: int) -> Standing:
        now = self._clock()
        number = int(now // window_s)
        ends_at = (number + 1) * window_s
        count = await self._counter.add(f"{noun}:{window_s}:{number}:{subject}", ends_at)
        reset_s = max(1, math.ceil(ends_at - now))
        return Standing(limit, max(0, limit - count), reset_s, window_s, noun, count > limit)


def _nearest(standings: list[Standing]) -> Standing | None:
    """The one that matters: any that is over, else the one with the least left."""
    return min(standings, key=lambda one: (not one.is_over, one.remaining), default=None)
