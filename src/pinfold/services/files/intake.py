"""Streams into the node: an upload is a writer that commits or cancels.

Why nothing acknowledged is lost, and nothing else is kept for long:

1. The node adds and pins in one step, so no gc comes between the blocks and their pin.  The pin bears the platform's
   name, which tells it from what people pinned by hand: such a pin keeps its name, and the platform never removes it.
2. Rows are written only after that, and the caller is answered only after the rows are durable.
3. Killed between 1 and 2: at the next start ``Reconciler.catch_up`` finds a pin of the platform that no row wants,
   and lets go of it; gc takes the blocks.  Killed before 1: the blocks were never pinned; gc takes them.
4. The worker's pin makes it official; with the embedded engine the content is pinned already and that is quick.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, cast

from pinfold.core.cid import CID
from pinfold.core.errors import PayloadTooLarge, PinNotFound
from pinfold.core.pin import PinMode
from pinfold.node import Node
from pinfold.node.model import Added, AddOptions
from pinfold.services.files.model import Stored
from pinfold.services.files.pipe import BytePipe
from pinfold.unixfs.profile import describe


class _Cancelled(Exception):
    """Raised in the reading thread when its upload was given up."""


class Intake:
    """Opens uploads, a bounded number at a time."""

    def __init__(self, node: Node, *, pin_name: str, max_file_bytes: int, max_concurrent: int) -> None:
        self._node = node
        self._pin_name = pin_name
        self._options = AddOptions(pin=True, pin_name=pin_name, keep_pin_name=True)
        self._profile = describe(self._options.profile)
        self._max_file_bytes = max_file_bytes
        self._threads = ThreadPoolExecutor(max_concurrent, thread_name_prefix="intake")
        self._free = asyncio.Semaphore(max_concurrent)

    async def open(self, name: str, content_type: str) -> Upload:
        """A new upload, once there is a thread for it; it must be finished or cancelled."""
        await self._free.acquire()
        pipe = BytePipe()
        loop = asyncio.get_running_loop()
        added = loop.run_in_executor(self._threads, self._add, pipe)

        def ended(_: asyncio.Future[Added]) -> None:
            pipe.abandon()
            self._free.release()

        added.add_done_callback(ended)
        return Upload(pipe, added, name, content_type, self._profile, self._max_file_bytes)

    def _add(self, pipe: BytePipe) -> Added:
        return self._node.add_stream(cast(BinaryIO, pipe), self._options)

    async def make_sure(self, cid: CID) -> None:
        """Have ``cid`` pinned, as it was when its upload finished.

        Raises:  BlockNotFound, where it was unpinned and collected since; the upload must then be repeated.
        """
        await asyncio.get_running_loop().run_in_executor(None, self._make_sure, cid)

    def _make_sure(self, cid: CID) -> None:
        try:
            next(self._node.pin_ls(mode=PinMode.RECURSIVE, cids=(cid,)))
        except PinNotFound:
            self._node.pin_add(cid, name=self._pin_name)

    async def close(self) -> None:
        """Wait for the threads; every upload was finished or cancelled before."""
        await asyncio.to_thread(self._threads.shutdown)


class Upload:
    """One file on its way into the node."""

    def __init__(
        self,
        pipe: BytePipe,
        added: asyncio.Future[Added],
        name: str,
        content_type: str,
        profile: str,
        max_bytes: int,
    ) -> None:
        self._pipe = pipe
        self._added = added
        self._name = name
        self._content_type = content_type
        self._profile = profile
        self._max_bytes = max_bytes
        self._size_bytes = 0

    async def write(self, data: bytes) -> None:
        """Take more of the file; waits while the node is behind.

        Raises:  PayloadTooLarge, before the byte that is too many is stored; what the node raised, such as StoreFull.
        """
        self._size_bytes += len(data)
        if self._size_bytes > self._max_bytes:
            raise PayloadTooLarge(f"{self._name or 'the file'} is over the limit of {self._max_bytes:,} bytes")
        if self._added.done():
            self._added.result()
        await self._pipe.send(data)

    async def finish(self) -> Stored:
        """The file, stored and pinned durably.  Raises: what the node raised, such as StoreFull."""
        self._pipe.end()
        added = await asyncio.shield(self._added)
        return Stored(
            cid=added.cid,
            name=self._name or str(added.cid),
            size_bytes=self._size_bytes,
            content_type=self._content_type,
            profile=self._profile,
        )

    async def cancel(self) -> CID | None:
        """Give the upload up; the CID, where it was pinned all the same.  Safe to call twice and after ``finish``."""
        self._pipe.fail(_Cancelled())
        await asyncio.wait([self._added])
        return None if self._added.cancelled() or self._added.exception() else self._added.result().cid
