"""What every counter of requests does: the one in memory, and the one in a real Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from pinfold.core.errors import InvalidSetting
from pinfold.services.accounts import Caller, Rates
from pinfold.services.limits import RatesService
from pinfold.services.limits.counters import Counter, MemoryCounter, RedisCounter
from tests.support.redis_server import RedisServer

Make = Callable[[], Counter]


@pytest.fixture(params=["memory", "redis"])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes counters of one kind; those in Redis share what they count."""
    if request.param == "memory":
        shared = MemoryCounter()
        return lambda: shared
    url: str = request.getfixturevalue("redis_url")
    return lambda: RedisCounter(url)


def test_a_key_is_counted_by_itself_and_by_many_at_once(make: Make) -> None:
    async def work() -> None:
        first, second = make(), make()
        end = time.time() + 60
        assert [await first.add("a", end) for _ in range(3)] == [1, 2, 3]
        assert await first.add("b", end) == 1
        many = await asyncio.gather(*(one.add("c", end) for one in (first, second) for _ in range(20)))
        assert sorted(many) == list(range(1, 41))
        await first.close()
        await second.close()

    asyncio.run(work())


def test_two_processes_hold_one_limit(make: Make) -> None:
    async def work() -> None:
        both = [RatesService(make(), clock=lambda: 1_000_000.0) for _ in range(2)]
        over = []
        for number in range(8):  # each with a token of its own: they are one organisation's
            caller = Caller(f"token {number}", "t", "o", frozenset(), rates=Rates(requests=5))
            standing = await both[number % 2].take(caller, is_upload=False)
            assert standing is not None
            over.append(standing.is_over)
        assert over == [False] * 5 + [True] * 3
        for one in both:
            await one.close()

    asyncio.run(work())


@pytest.mark.redis
def test_while_redis_is_away_this_process_counts_and_nobody_waits(redis_engine: RedisServer) -> None:
    async def work() -> None:
        now = 1_000_000.0
        counter = RedisCounter(redis_engine.empty_database(), lambda: now)
        nowhere = RedisCounter("redis://127.0.0.1:1/0", lambda: now)
        began = time.monotonic()
        assert [await nowhere.add("a", now + 60) for _ in range(50)] == list(range(1, 51))
        assert time.monotonic() - began < 2
        assert await counter.add("a", now + 60) == 1
        redis_engine.crash()
        assert await counter.add("a", now + 60) in (1, 2)  # by itself, or by the one that is back with nothing in it
        now += 6
        assert await counter.add("b", now + 60) == 1
        for one in (counter, nowhere):
            await one.close()

    asyncio.run(work())


@pytest.mark.parametrize("url", ["nonsense", "http://example.org", "redis://host:port/x"])
def test_a_url_that_is_no_redis_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(InvalidSetting, match="redis_url"):
        RedisCounter(url)


def test_memory_stays_bounded_under_a_flood_and_those_who_ask_most_stay_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pinfold.services.limits.counters._MOST_KEYS", 100)

    async def work() -> None:
        counter = MemoryCounter(lambda: 0.0)
        for _ in range(10):
            await counter.add("much", 60)
        for number in range(1000):
            await counter.add(f"flood {number}", 60)
        assert await counter.add("much", 60) == 11
        assert len(counter._counts) <= 100

    asyncio.run(work())
