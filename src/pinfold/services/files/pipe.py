"""A bounded pipe from the event loop into a thread that reads a stream."""

from __future__ import annotations

import asyncio
import io
import threading
from collections import deque
from typing import Final

HIGH_WATER_BYTES: Final = 1024 * 1024  # one chunk of the default profile: the reader never starves, memory stays flat


class BytePipe(io.BufferedIOBase):
    """Bytes written by a coroutine, read by one thread as a file.

    ``write`` waits while the pipe is full, which stops reading from the socket.  ``read`` blocks its thread until it
    has all bytes asked for, or the writer closed the pipe, or failed it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._condition = threading.Condition()
        self._chunks: deque[memoryview] = deque()
        self._held_bytes = 0
        self._ended = False
        self._failure: BaseException | None = None
        self._abandoned = False
        self._room = asyncio.Event()
        self._room.set()

    async def send(self, data: bytes) -> None:
        """Hand over ``data``, once there is room; a reader that has gone takes everything at once."""
        await self._room.wait()
        with self._condition:
            if self._abandoned or not data:
                return
            self._chunks.append(memoryview(data))
            self._held_bytes += len(data)
            if self._held_bytes >= HIGH_WATER_BYTES:
                self._room.clear()
            self._condition.notify()

    def end(self) -> None:
        """Say that nothing follows."""
        with self._condition:
            self._ended = True
            self._condition.notify()

    def fail(self, failure: BaseException) -> None:
        """Have the reader's next ``read`` raise ``failure``."""
        with self._condition:
            self._failure = failure
            self._condition.notify()

    def abandon(self) -> None:
        """Say, in the loop, that nobody reads any more."""
        with self._condition:
            self._abandoned = True
            self._chunks.clear()
        self._room.set()

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Exactly ``size`` bytes, fewer only at the end; all that is left for a negative ``size``."""
        wanted = None if size is None or size < 0 else size
        parts: list[memoryview] = []
        got = 0
        while wanted is None or got < wanted:
            part = self._take(None if wanted is None else wanted - got)
            if part is None:
                break
            parts.append(part)
            got += len(part)
        return b"".join(parts)

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # any writable buffer
        """The number of bytes put into ``buffer``: all of it, less only at the end."""
        view = memoryview(buffer).cast("B")
        got = 0
        while got < len(view):
            part = self._take(len(view) - got)
            if part is None:
                break
            view[got : got + len(part)] = part
            got += len(part)
        return got

    def _take(self, at_most: int | None) -> memoryview | None:
        with self._condition:
            while not self._chunks and not self._ended and self._failure is None:
                self._condition.wait()
            if self._failure is not None:
                raise self._failure
            if not self._chunks:
                return None
            part = self._chunks.popleft()
            if at_most is not None and len(part) > at_most:
                self._chunks.appendleft(part[at_most:])
                part = part[:at_most]
            was_full = self._held_bytes >= HIGH_WATER_BYTES
            self._held_bytes -= len(part)
            if was_full and self._held_bytes < HIGH_WATER_BYTES:
                self._loop.call_soon_threadsafe(self._room.set)
            return part
