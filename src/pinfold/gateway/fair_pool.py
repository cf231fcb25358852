"""Threads for expensive work of strangers: addresses take turns, and cheap requests need not wait for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

from pinfold.core.client_network import client_network
from pinfold.gateway.errors import Refusal

T = TypeVar("T")

THREADS: Final = 2  # each of them competes with the event loop for the interpreter
MOST_WAITING: Final = 64
"""Pieces of work of one address that may wait: what 64 listings take, a browser has given up by then."""
_RETRY_AFTER_S: Final = 5

_Piece = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class FairPool:
    """A few threads, of which one address has at most one."""

    def __init__(self, threads: int = THREADS) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="gateway-heavy")
        self._free = threads
        self._waiting: dict[str, deque[_Piece]] = {}
        """By address, the one whose turn is next first."""
        self._busy: set[str] = set()

    async def run(self, address: str, work: Callable[[], T]) -> T:
        """The result of ``work``, which begins when it is the turn of ``address``.

        Raises:  Refusal (429) where much of the address waits already; what ``work`` raises.
        """
        whose = client_network(address)
        queue = self._waiting.setdefault(whose, deque())
        if len(queue) >= MOST_WAITING:
            raise Refusal(
                429, "too many large folders are asked for at once; try again", {"Retry-After": str(_RETRY_AFTER_S)}
            )
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        queue.append((work, done))
        self._begin_more()
        return await done  # cancelled with its caller: it is not begun then

    def _begin_more(self) -> None:
        for whose in list(self._waiting):
            if not self._free:
                return
            if whose in self._busy:
                continue
            queue = self._waiting.pop(whose)
            while queue and queue[0][1].done():
                queue.popleft()  # its client has gone
            if not queue:
                continue
            work, done = queue.popleft()
            if queue:
                self._waiting[whose] = queue  # behind all others
            self._free -= 1
            self._busy.add(whose)
            running = asyncio.get_running_loop().run_in_executor(self._threads, work)
            running.add_done_callback(partial(self._ended, whose, done))

    def _ended(self, whose: str, done: asyncio.Future[Any], running: asyncio.Future[Any]) -> None:
        self._free += 1
        self._busy.discard(whose)
        error = None if running.cancelled() else running.exception()
        if done.done():
            pass
        elif running.cancelled():
            done.cancel()
        elif error is not None:
            done.set_exception(error)
        else:
            done.set_result(running.result())
        self._begin_more()

    async def close(self) -> None:
        """Finish what runs; nothing more begins."""
        for queue in self._waiting.values():
            for _, done in queue:
                done.cancel()
        self._waiting.clear()
        await asyncio.to_thread(self._threads.shutdown)
