"""The node from the event loop: its calls run in a few threads, its streams one block at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from pinfold.gateway.fair_pool import FairPool
from pinfold.gateway.folder_cache import FolderCache
from pinfold.node import Node

T = TypeVar("T")

_THREADS: Final = 8  # a call reads a block or a few; slow clients hold no thread


class NodeThread:
    """One node, shared by all requests."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="gateway")
        self.heavy = FairPool()
        """For what takes long: large folders and long paths."""
        self.folders = FolderCache(node, self.heavy)

    async def call(self, work: Callable[[], T]) -> T:
        """The result of ``work``, done in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def stream(self, open_iterator: Callable[[], Iterator[bytes | memoryview]]) -> AsyncGenerator[bytes, None]:
        """Yield what an iterator gives, each step taken in a thread when the one before was sent.

        Shape:   one block's bytes at a time; memory stays at one block, whatever the client's speed.
        """
        source = _Source(open_iterator)
        try:
            while (chunk := await self.call(source.next)) is not None:
                yield bytes(chunk)
        finally:
            self._threads.submit(source.close)

    async def close(self) -> None:
        """Finish what runs."""
        await self.heavy.close()
        await asyncio.to_thread(self._threads.shutdown)


class _Source:
    """An iterator that is never stepped and closed at once, though a step may outlive the request that wanted it."""

    def __init__(self, open_iterator: Callable[[], Iterator[bytes | memoryview]]) -> None:
        self._open = open_iterator
        self._iterator: Iterator[bytes | memoryview] | None = None
        self._lock = threading.Lock()
        self._closed = False

    def next(self) -> bytes | memoryview | None:
        """The next chunk that is not empty; None at the end."""
        with self._lock:
            if self._closed:
                return None
            if self._iterator is None:
                self._iterator = self._open()
            return next((chunk for chunk in self._iterator if len(chunk)), None)

    def close(self) -> None:
        """Let go of what the iterator holds."""
        with self._lock:
            self._closed = True
            close = getattr(self._iterator, "close", None)  # a generator has it, a plain iterator need not
            if close is not None:
                close()
            self._iterator = None
