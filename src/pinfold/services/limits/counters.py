"""Where requests are counted: in this process, or in a Redis that several processes share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Protocol, cast

from limits.aio.storage import RedisStorage
from limits.errors import ConfigurationError
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from pinfold.core.errors import InvalidSetting
from pinfold.telemetry import fields, logger

log = logger("services")

_MOST_KEYS: Final = 200_000  # some 40 MB; more addresses than that within one window are no honest clients
_PATIENCE_S: Final = 0.25  # a request does not wait longer for a Redis that is away
_AWAY_S: Final = 5.0  # how long it is left alone then


class Counter(Protocol):
    """Counts by key; a key says which window it is of."""

    async def add(self, key: str, ends_at: float) -> int:
        """How often the key was counted, this time included; nobody asks for it after ``ends_at`` (Unix time)."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class MemoryCounter:
    """Counts in this process."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._counts: dict[str, tuple[int, float]] = {}

    async def add(self, key: str, ends_at: float) -> int:
        """See ``Counter``."""
        known = self._counts.get(key)
        count = known[0] + 1 if known is not None else 1
        self._keep(key, count, ends_at)
        return count

    def learn(self, key: str, count: int, ends_at: float) -> None:
        """Take over what somebody else counted, where it is more than is known here."""
        known = self._counts.get(key)
        if known is None or known[0] < count:
            self._keep(key, count, ends_at)

    def _keep(self, key: str, count: int, ends_at: float) -> None:
        if key not in self._counts and len(self._counts) >= _MOST_KEYS:
            self._make_room()
        self._counts[key] = (count, ends_at)

    def _make_room(self) -> None:
        now = self._clock()
        self._counts = {key: one for key, one in self._counts.items() if one[1] > now}
        if len(self._counts) >= _MOST_KEYS * 9 // 10:  # a flood: those who asked most stay known
            most = sorted(self._counts.items(), key=lambda one: one[1][0], reverse=True)
            self._counts = dict(most[: _MOST_KEYS // 2])

    async def close(self) -> None:
        """Nothing to let go of."""


class RedisCounter:
    """Counts in Redis; while that is away, in this process, from where it stood, and nobody is refused for it."""

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        try:
            self._pool = ConnectionPool.from_url(url, socket_timeout=_PATIENCE_S, socket_connect_timeout=_PATIENCE_S)
            self._redis = RedisStorage(
                url, implementation="redispy", key_prefix="pinfold", connection_pool=cast(Any, self._pool)
            )
        except (ConfigurationError, ValueError, RedisError):
            # Not "from": what they say has the URL in it, and that may have a password.
            raise InvalidSetting("redis_url is no URL of a Redis, such as redis://HOST:6379/0") from None
        self._clock = clock
        self._memory = MemoryCounter(clock)
        self._away_until = 0.0

    async def add(self, key: str, ends_at: float) -> int:
        """See ``Counter``."""
        now = self._clock()
        if now >= self._away_until:
            try:
                count = await self._redis.incr(key, max(1, int(ends_at - now) + 1))
            except (RedisError, OSError, TimeoutError) as exc:
                self._away_until = now + _AWAY_S
                log.warning(
                    "Redis is away: this process counts requests by itself for a while", **{fields.ERROR: str(exc)}
                )
            else:
                self._memory.learn(key, count, ends_at)
                return count
        return await self._memory.add(key, ends_at)

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()
