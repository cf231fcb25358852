"""Threads for calls into the node that take a while; they end before the node is closed under them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

T = TypeVar("T")


class Threads:
    """A few threads.  Long work looks at ``stopping`` now and then, and ends early."""

    def __init__(self, number: int = 3, name: str = "service") -> None:
        self._threads = ThreadPoolExecutor(number, thread_name_prefix=name)
        self.stopping = Event()

    async def run(self, work: Callable[[], T]) -> T:
        """The result of ``work``; a caller that is cancelled meanwhile does not stop it."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def close(self) -> None:
        """Finish what runs."""
        self.stopping.set()
        await asyncio.to_thread(self._threads.shutdown)
