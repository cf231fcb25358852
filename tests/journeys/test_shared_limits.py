"""Two API processes on one PostgreSQL count in one Redis, and go on without it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import redis

from tests.support.cli import Pinfold
from tests.support.redis_server import RedisServer
from tests.support.up import PATIENCE_S, Up

WINDOW_S = 86_400  # as long as may be: none ends while a test runs, but at midnight
REQUESTS = 12


class Two:
    """Two API processes, and a client of each with the token of one tenant."""

    def __init__(self, one: Up, other: Up) -> None:
        self.ups = (one, other)

    def ask(self, number: int) -> httpx.Response:
        """The answer of one of them; nobody ever fails for a Redis that is away."""
        answer = self.ups[number % 2].api.get("/api/v1/files")
        assert answer.status_code in (200, 429), answer.text
        return answer

    def answered(self, most: int = 3 * REQUESTS) -> int:
        """How many of so many requests, turn by turn, were not refused."""
        return sum(self.ask(number).status_code == 200 for number in range(most))

    def remaining(self, number: int) -> int:
        """How many requests one of them leaves, this one counted."""
        return int(self.ask(number).headers["ratelimit-remaining"])


@contextlib.contextmanager
def two_apis(pinfold: Pinfold, database_url: str, redis_url: str, *quota: str) -> Iterator[Two]:
    """Two processes, whose tenant has so many requests in a window and those quotas."""
    pinfold.data_dir.mkdir(parents=True)
    (pinfold.data_dir / "pinfold.toml").write_text(
        f'database_url = "{database_url}"\nredis_url = "{redis_url}"\n', encoding="utf-8"
    )
    pinfold("db", "upgrade")
    pinfold("org", "create", "Acme")
    pinfold("plan", "set", "small", "--requests-per-window", str(REQUESTS), "--window", str(WINDOW_S))
    pinfold("org", "set", "acme", "--plan", "small", *quota)
    token = pinfold("token", "create", "--org", "acme", "--name", "x", "--scope", "files:read").out.strip()
    with Up(pinfold, role="api") as one, Up(pinfold, role="api") as other:
        for up in (one, other):
            up.api.headers["Authorization"] = f"Bearer {token}"
        yield Two(one, other)
        for up in (one, other):
            assert up.stop() == 0
            assert "Traceback" not in up.log


def counted(redis_url: str) -> int:
    """All that is counted in a database of Redis."""
    with contextlib.closing(redis.Redis.from_url(redis_url, decode_responses=True)) as client:
        found: list[Any] = [client.get(key) for key in client.scan_iter()]
    return sum(int(one or 0) for one in found)


def test_two_processes_hold_one_limit_together(pinfold: Pinfold, postgres_url: str, redis_url: str) -> None:
    with two_apis(pinfold, postgres_url, redis_url) as both:
        assert both.answered() == REQUESTS
        refused = both.ask(1)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= WINDOW_S


def test_while_redis_hangs_each_counts_by_itself_and_together_again_when_it_is_back(
    pinfold: Pinfold, postgres_url: str, redis_engine: RedisServer
) -> None:
    redis_url = redis_engine.empty_database()
    with contextlib.closing(redis.Redis.from_url(redis_url)) as client:
        process = int(client.info("server")["process_id"])  # type: ignore[index]  # the asynchronous client's type too
    with two_apis(pinfold, postgres_url, redis_url) as both:
        assert both.remaining(0) == REQUESTS - 1
        assert both.remaining(1) == REQUESTS - 2
        os.kill(process, signal.SIGSTOP)
        try:
            began = time.monotonic()
            assert both.remaining(0) == REQUESTS - 2  # each goes on from where it saw the count last
            assert both.remaining(1) == REQUESTS - 3
            assert both.remaining(0) == REQUESTS - 3
            assert time.monotonic() - began < 5  # nobody waits for it for long
            assert all("Redis is away" in up.log for up in both.ups)
        finally:
            os.kill(process, signal.SIGCONT)
        end = time.monotonic() + PATIENCE_S
        while True:
            before = counted(redis_url)
            both.ask(0)
            both.ask(1)
            if counted(redis_url) == before + 2:  # both count there again
                break
            assert time.monotonic() < end
            time.sleep(0.2)


@pytest.mark.postgres
def test_a_redis_that_forgot_gives_nobody_a_new_day(
    pinfold: Pinfold, postgres_url: str, redis_engine: RedisServer
) -> None:
    redis_url = redis_engine.empty_database()
    with two_apis(pinfold, postgres_url, redis_url, "--quota-requests-per-day", "6") as both:
        assert both.answered(10) == 6
        end = time.monotonic() + PATIENCE_S
        while pinfold("usage", "show", "--org", "acme", "--json", "--days", "1").json["requests"] < 10:
            assert time.monotonic() < end
        redis_engine.crash()
        assert both.answered(12) <= 2  # one by each, that may not yet know what the other wrote down; not six
