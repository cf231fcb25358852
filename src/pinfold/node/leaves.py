"""Blocks on their way into the store: leaves hashed by several threads, small blocks in batches."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from pinfold.core import varint
from pinfold.core.cid import RAW
from pinfold.core.errors import SourceChanged
from pinfold.store.rows import tag_of_cid
from pinfold.store.writer import NewBlock, Writer
from pinfold.unixfs.build import leaf
from pinfold.unixfs.dag import Built, is_identity, namer
from pinfold.unixfs.profile import Profile

WORKERS: Final = 3  # two hash while one waits for the disk; more only wait for each other on two cores
_IN_FLIGHT: Final = 2 * WORKERS  # chunks waiting or worked on: what bounds memory
_BATCH_BLOCKS: Final = 512
_BATCH_BYTES: Final = 4 << 20
_T = TypeVar("_T")


def new_block(cid: bytes, data: bytes | memoryview) -> NewBlock:
    """A block as the store takes it, from a binary CID that is known to be its own."""
    tag, multihash = tag_of_cid(cid)
    return NewBlock(multihash, tag, varint.encode(len(cid) + len(data)) + cid, data)


class Sink:
    """Takes the blocks of one add; without a writer they are only named.

    ``touched`` has a handle for every block of the root that is being built; the caller empties it between roots.
    """

    def __init__(self, writer: Writer | None, profile: Profile) -> None:
        self._writer = writer
        self._profile = profile
        self._batch: list[NewBlock] = []
        self._batch_bytes = 0
        self.touched: list[int] = []
        self._pool: ThreadPoolExecutor | None = None
        self._slots = threading.Semaphore(_IN_FLIGHT)
        self._buffers = threading.local()

    # -- small blocks ----------------------------------------------------------------------------------------------

    def emit(self, cid: bytes, block: bytes) -> None:
        """Take a block from a builder."""
        if self._writer is not None:
            self.add(new_block(cid, block), len(block))

    def add(self, block: NewBlock, size: int) -> None:
        """Take a block that is ready for the store."""
        self._batch.append(block)
        self._batch_bytes += size
        if len(self._batch) >= _BATCH_BLOCKS or self._batch_bytes >= _BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand everything taken so far to the writer."""
        if self._writer is not None and self._batch:
            batch, self._batch, self._batch_bytes = self._batch, [], 0
            self.touched.extend(self._writer.put(batch))

    # -- leaves ----------------------------------------------------------------------------------------------------

    def read_leaf(self, fd: int, offset: int, size: int, path: str) -> Future[tuple[Built, int | None]]:
        """Read, hash and write one chunk of a file in the background.  Raises, in the future: SourceChanged."""
        return self._submit(lambda: self._leaf(self._read(fd, offset, size, path)))

    def put_leaf(self, chunk: bytes | memoryview) -> Future[tuple[Built, int | None]]:
        """Hash and write one chunk in the background."""
        return self._submit(lambda: self._leaf(chunk))

    def _submit(self, job: Callable[[], _T]) -> Future[_T]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(WORKERS, "pinfold-add")
        self._slots.acquire()
        future = self._pool.submit(job)
        future.add_done_callback(lambda _: self._slots.release())
        return future

    def _read(self, fd: int, offset: int, size: int, path: str) -> memoryview:
        buffer: bytearray | None = getattr(self._buffers, "buffer", None)
        if buffer is None or len(buffer) < size:
            buffer = self._buffers.buffer = bytearray(size)
        view = memoryview(buffer)[:size]
        done = 0
        while done < size:
            count = os.preadv(fd, [view[done:]], offset + done)
            if count == 0:
                raise SourceChanged(f"{path} became shorter while it was read")
            done += count
        return view

    def _leaf(self, chunk: bytes | memoryview) -> tuple[Built, int | None]:
        profile = self._profile
        if profile.raw_leaves and not profile.inline:
            built = name_raw(profile, chunk)
            block: bytes | memoryview = chunk
        else:
            built, block = leaf(profile, chunk)
        if self._writer is None or is_identity(built.cid):
            return built, None
        return built, self._writer.put([new_block(built.cid, block)])[0]

    def close(self) -> None:
        """Wait for the threads and let them go."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def name_raw(profile: Profile, chunk: bytes | memoryview) -> Built:
    """A raw leaf by its bytes, without copying them."""
    return Built(namer(profile, RAW)(chunk), len(chunk), len(chunk))
