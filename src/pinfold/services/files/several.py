"""Uploads of several files in one request, handed to the node one after the other and kept together.

One commit at the end makes all of them durable, since a commit waits for the disk several times: hundreds of small
files, each with its own, would take a minute for what takes a second together.
"""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final, Generic, TypeVar, cast

from pinfold.core.cid import CID
from pinfold.core.content_type import SNIFF_BYTES, bare_type
from pinfold.core.errors import PayloadTooLarge
from pinfold.node.model import Added
from pinfold.services.files.model import FOLDER_TYPE, SEND_IN_PARTS, Stored
from pinfold.services.files.pipe import BytePipe

T = TypeVar("T")

_WAITING_ENTRIES: Final = 4  # files that are handed over before the node has taken them


class Cancelled(Exception):
    """Raised in the reading thread when its upload was given up."""


class Entries:
    """Files with their paths, handed from the event loop to the thread that adds them."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[tuple[Sequence[str], BytePipe] | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(_WAITING_ENTRIES)
        self._loop = asyncio.get_running_loop()
        self._last: BytePipe | None = None
        self._failed = False
        self._abandoned = False

    async def put(self, path: Sequence[str]) -> BytePipe:
        """A pipe for the next file; waits while the node is several files behind."""
        if not self._abandoned:
            await self._room.acquire()
        self._last = pipe = BytePipe()
        if self._abandoned:
            pipe.abandon()
        else:
            self._waiting.put((path, pipe))
        return pipe

    def end(self) -> None:
        """Say that no file follows."""
        self._waiting.put(None)

    def fail(self) -> None:
        """Have the reading thread raise instead of taking another file."""
        self._failed = True
        self._waiting.put(None)

    def abandon(self) -> None:
        """Say, in the loop, that nobody reads any more."""
        self._abandoned = True
        self._room.release()
        if self._last is not None:
            self._last.abandon()

    def read(self) -> Iterator[tuple[Sequence[str], BinaryIO]]:
        """Yield each file's path and stream, in the thread; it is read to its end before the next is asked for."""
        while (entry := self._waiting.get()) is not None:
            path, pipe = entry
            yield path, cast(BinaryIO, pipe)
            self._loop.call_soon_threadsafe(self._room.release)
        if self._failed:
            raise Cancelled

    def streams(self) -> Iterator[BinaryIO]:
        """Yield the streams alone."""
        for _, stream in self.read():
            yield stream


class _Several(Generic[T]):
    """What uploads of several files have in common: one begins, is written and ends, then the next."""

    def __init__(self, entries: Entries, added: asyncio.Future[T], profile: str, max_file_bytes: int) -> None:
        self._entries = entries
        self._added = added
        self._profile = profile
        self._max_file_bytes = max_file_bytes
        self._pipe: BytePipe | None = None
        self._path = ""
        self._file_bytes = 0

    async def _begin(self, path: Sequence[str]) -> None:
        self._check()
        self._path, self._file_bytes = "/".join(path), 0
        self._pipe = await self._entries.put(tuple(path))

    async def write(self, data: bytes) -> None:
        """More of the file that was begun last; waits while the node is behind.

        Raises:  PayloadTooLarge, before the byte that is too many is stored; what the node raised, such as StoreFull.
        """
        assert self._pipe is not None, "a file is begun first"
        self._file_bytes += len(data)
        if self._file_bytes > self._max_file_bytes:
            raise PayloadTooLarge(
                f"{self._path or 'the file'} is over the limit of {self._max_file_bytes:,} bytes", hint=SEND_IN_PARTS
            )
        self._check()
        await self._pipe.send(data)

    def end(self) -> None:
        """The file that was begun last is whole."""
        assert self._pipe is not None, "a file is begun first"
        self._pipe.end()

    def _check(self) -> None:
        if self._added.done():
            self._added.result()

    async def _all(self) -> T:
        self._entries.end()
        return await asyncio.shield(self._added)

    async def _any(self) -> T | None:
        """Give up; what the node had added all the same."""
        self._entries.fail()
        if self._pipe is not None:
            self._pipe.fail(Cancelled())
        await asyncio.wait([self._added])
        return None if self._added.cancelled() or self._added.exception() else self._added.result()


class FolderUpload(_Several[Added]):
    """One folder on its way into the node, file by file."""

    def __init__(
        self, entries: Entries, added: asyncio.Future[Added], name: str, profile: str, max_file_bytes: int
    ) -> None:
        super().__init__(entries, added, profile, max_file_bytes)
        self._name = name

    async def begin(self, path: Sequence[str]) -> None:
        """The next file, by its path inside the folder.  Raises: what the node raised, such as UnsafeName."""
        await self._begin(path)

    async def finish(self) -> list[Stored]:
        """The folder, stored and pinned durably.  Raises: what the node raised, such as StoreFull."""
        added = await self._all()
        return [Stored(added.cid, self._name, added.file_bytes, FOLDER_TYPE, self._profile, is_folder=True)]

    async def cancel(self) -> list[CID]:
        """Give the upload up; what was pinned all the same.  Safe to call twice and after ``finish``."""
        added = await self._any()
        return [] if added is None else [added.cid]


class FilesUpload(_Several[list[Added]]):
    """Files on their way into the node, each by itself: none of them is kept before all of them are."""

    def __init__(self, entries: Entries, added: asyncio.Future[list[Added]], profile: str, max_file_bytes: int) -> None:
        super().__init__(entries, added, profile, max_file_bytes)
        self._names: list[str] = []
        self._types: list[str] = []
        self._head = bytearray()

    @property
    def count(self) -> int:
        """Files that have begun."""
        return len(self._names)

    async def begin(self, name: str, content_type: str) -> None:
        """The next file; its name and first bytes show its type where ``content_type`` is empty.

        Raises:  what the node raised.
        """
        await self._begin((name,))
        self._names.append(name)
        self._types.append(content_type)
        self._head.clear()

    async def write(self, data: bytes) -> None:
        """More of the file that was begun last.  Raises: PayloadTooLarge, and what the node raised."""
        if len(self._head) < SNIFF_BYTES:
            self._head += data[: SNIFF_BYTES - len(self._head)]
        await super().write(data)

    def end(self) -> None:
        """The file that was begun last is whole."""
        super().end()
        self._types[-1] = self._types[-1] or bare_type(self._names[-1], bytes(self._head))

    async def finish(self) -> list[Stored]:
        """The files in their order, stored and pinned durably.  Raises: what the node raised, such as StoreFull."""
        added_ones = await self._all()
        return [
            Stored(added.cid, name or str(added.cid), added.file_bytes, content_type, self._profile)
            for added, name, content_type in zip(added_ones, self._names, self._types, strict=True)
        ]

    async def cancel(self) -> list[CID]:
        """Give the upload up; what was pinned all the same.  Safe to call twice and after ``finish``."""
        return list(dict.fromkeys(added.cid for added in await self._any() or ()))
