"""A real Redis of the tests' own: numbered databases on a loopback port, gone when the block ends."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

import redis
from engines.redis_server import DATABASES, WHERE_FROM, redis_is_here

from tests.support.served import Served, served

__all__ = ["WHERE_FROM", "RedisServer", "redis_is_here", "redis_server"]


class RedisServer:
    """A running server."""

    def __init__(self, server: Served) -> None:
        """Speak to ``server``."""
        self._server = server
        self._numbers = itertools.cycle(range(DATABASES))

    @property
    def url(self) -> str:
        """Where its first database answers, as ``redis://127.0.0.1:PORT/0``."""
        return self._server.url

    def empty_database(self) -> str:
        """The URL of a numbered database, emptied; a number comes again only when all others have had their turn.

        So what a client of an earlier test still writes lands elsewhere.
        """
        url = f"{self.url.rpartition('/')[0]}/{next(self._numbers)}"
        with contextlib.closing(redis.Redis.from_url(url)) as client:
            client.flushdb()
        return url

    def crash(self) -> None:
        """Kill the server, and return when it serves again, at the same URL, with nothing in it."""
        self._server.crash()


@contextlib.contextmanager
def redis_server() -> Iterator[RedisServer]:
    """A server for the length of the block."""
    with served("redis") as server:
        yield RedisServer(server)
