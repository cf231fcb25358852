"""Streams into the node: an upload is a writer that commits or cancels.

Why nothing acknowledged is lost, and nothing else is kept for long:

1. The node adds and pins in one step, so no gc comes between the blocks and their pin.  The pin bears the platform's
   name, which tells it from what people pinned by hand: such a pin keeps its name, and the platform never removes it.
2. Rows are written only after that, and the caller is answered only after the rows are durable.
3. Killed between 1 and 2: after the next start ``Reconciler.compare`` finds a pin of the platform that no row wants,
   and lets go of it; gc takes the blocks.  Killed before 1: the blocks were never pinned; gc takes them.
4. The worker's pin makes it official; with the embedded engine the content is pinned already and that is quick.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Final, TypeVar, cast

from pyroaring import BitMap

from pinfold.core.cid import CID
from pinfold.core.content_type import SNIFF_BYTES, bare_type
from pinfold.core.errors import (
    BlockCorrupt,
    BlockNotFound,
    IncompleteDag,
    MalformedCar,
    PayloadTooLarge,
    PinNotFound,
    UploadOvertaken,
)
from pinfold.core.pin import PinMode
from pinfold.node import Node
from pinfold.node.footprint import pinned_bytes
from pinfold.node.model import Added, AddOptions
from pinfold.services.files.car_roots import describe_root
from pinfold.services.files.joined import open_joined
from pinfold.services.files.model import RAISE_CAR_LIMIT, Stored
from pinfold.services.files.pipe import BytePipe
from pinfold.services.files.several import Cancelled, Entries, FilesUpload, FolderUpload
from pinfold.services.files.slots import Holder, Slots
from pinfold.unixfs.profile import Profile, describe, profile

T = TypeVar("T")

MAX_CAR_ROOTS: Final = 100


class Intake:
    """Opens uploads, a bounded number at a time, of which one organisation has at most half."""

    def __init__(self, node: Node, *, pin_name: str, max_file_bytes: int, max_concurrent: int) -> None:
        self._node = node
        self._pin_name = pin_name
        self._max_file_bytes = max_file_bytes
        self._threads = ThreadPoolExecutor(max_concurrent, thread_name_prefix="intake")
        self.slots = Slots(max_concurrent)

    @property
    def max_file_bytes(self) -> int:
        """The largest file of one upload."""
        return self._max_file_bytes

    def _options(self, chosen: Profile) -> AddOptions:
        return AddOptions(profile=chosen, pin=True, pin_name=self._pin_name, keep_pin_name=True)

    async def open_folder(self, organisation_id: str, name: str, chosen: Profile | None = None) -> FolderUpload:
        """A new upload of a whole folder, whose files come one after the other."""
        chosen = chosen or profile()
        holder = await self.slots.acquire(organisation_id)
        entries = Entries()
        options = self._options(chosen)
        added = self._run(holder, lambda: self._node.add_tree(entries.read(), options, name=name), entries.abandon)
        return FolderUpload(entries, added, name, describe(chosen), self._max_file_bytes)

    async def open_files(self, organisation_id: str, chosen: Profile | None = None) -> FilesUpload:
        """A new upload of files that come one after the other, to be kept together."""
        chosen = chosen or profile()
        holder = await self.slots.acquire(organisation_id)
        entries = Entries()
        options = self._options(chosen)
        added = self._run(holder, lambda: self._node.add_streams(entries.streams(), options), entries.abandon)
        return FilesUpload(entries, added, describe(chosen), self._max_file_bytes)

    async def open_car(self, organisation_id: str, may_use: Callable[[], BitMap], max_bytes: int) -> CarUpload:
        """A new upload of a CAR, which stored blocks may complete that ``may_use`` names; ``max_bytes`` 0: any size."""
        holder = await self.slots.acquire(organisation_id)
        pipe = BytePipe()

        def take() -> list[Stored]:
            try:
                imported = self._node.dag_import(
                    cast(BinaryIO, pipe),
                    pin_name=self._pin_name,
                    keep_pin_name=True,
                    max_roots=MAX_CAR_ROOTS,
                    may_use=may_use,
                )
            except BlockCorrupt as exc:  # what was sent is wrong, not what is kept here
                raise MalformedCar(str(exc), hint="Nothing of it was kept.") from exc
            return [describe_root(self._node, root) for root in imported.roots]

        return CarUpload(pipe, self._run(holder, take, pipe.abandon), max_bytes)

    async def add_file(
        self, organisation_id: str, paths: Sequence[Path], name: str, content_type: str, chosen: Profile | None = None
    ) -> Stored:
        """Files of this machine, end to end as one, stored and pinned durably.

        The first bytes show the type where ``content_type`` is empty and the name shows none.
        Raises:  StoreFull, SourceUnreadable; FileNotFoundError.
        """
        chosen = chosen or profile()
        holder = await self.slots.acquire(organisation_id)
        options = self._options(chosen)

        def add() -> tuple[Added, str]:
            with open_joined(paths) as stream:
                kind = content_type or bare_type(name, stream.peek(SNIFF_BYTES)[:SNIFF_BYTES])
                return self._node.add_stream(stream, options), kind

        with self.slots.at_work(organisation_id):
            added, kind = await asyncio.shield(self._run(holder, add, lambda: None))
        return Stored(added.cid, name or str(added.cid), added.file_bytes, kind, describe(chosen))

    def _run(self, holder: Holder, work: Callable[[], T], nobody_reads: Callable[[], None]) -> asyncio.Future[T]:
        done = asyncio.get_running_loop().run_in_executor(self._threads, work)

        def ended(_: asyncio.Future[T]) -> None:
            nobody_reads()
            self.slots.release(holder.organisation_id, holder)

        done.add_done_callback(ended)
        return done

    async def make_sure(self, cids: Iterable[CID]) -> dict[CID, int]:
        """Have these pinned, as they were when their upload finished; the bytes of the blocks that each reaches.

        Raises:  UploadOvertaken, where one was unpinned and collected since; the upload must then be repeated.
        """
        return await asyncio.get_running_loop().run_in_executor(None, self._make_sure, list(cids))

    def _make_sure(self, cids: list[CID]) -> dict[CID, int]:
        weights = {}
        for cid in cids:
            try:
                next(self._node.pin_ls(mode=PinMode.RECURSIVE, cids=(cid,)))
            except PinNotFound:
                try:
                    self._node.pin_add(cid, name=self._pin_name)
                except (BlockNotFound, IncompleteDag) as exc:
                    raise UploadOvertaken(f"{cid} was deleted while its upload was being recorded") from exc
            weights[cid] = pinned_bytes(self._node.store, cid)
        return weights

    async def close(self) -> None:
        """Wait for the threads; every upload was finished or cancelled before."""
        await asyncio.to_thread(self._threads.shutdown)


def car_too_large(max_bytes: int) -> PayloadTooLarge:
    """The refusal of a CAR that is over the limit."""
    return PayloadTooLarge(f"the CAR is over the limit of {max_bytes:,} bytes", hint=RAISE_CAR_LIMIT)


class CarUpload:
    """One CAR on its way into the node."""

    def __init__(self, pipe: BytePipe, taken: asyncio.Future[list[Stored]], max_bytes: int) -> None:
        self._pipe = pipe
        self._taken = taken
        self._max_bytes = max_bytes
        self._size_bytes = 0

    async def write(self, data: bytes) -> None:
        """More of the CAR.  Raises: PayloadTooLarge, and what is wrong with the CAR, as soon as that is known."""
        self._size_bytes += len(data)
        if self._max_bytes and self._size_bytes > self._max_bytes:
            raise car_too_large(self._max_bytes)
        if self._taken.done():
            self._taken.result()
        await self._pipe.send(data)

    async def finish(self) -> list[Stored]:
        """Its roots, each stored and pinned durably.

        Raises:  MalformedCar, BlockCorrupt, IncompleteDag and their kin; StoreFull.
        """
        self._pipe.end()
        return await asyncio.shield(self._taken)

    async def cancel(self) -> list[CID]:
        """Give the upload up; what was pinned all the same.  Safe to call twice and after ``finish``."""
        self._pipe.fail(Cancelled())
        await asyncio.wait([self._taken])
        if self._taken.cancelled() or self._taken.exception():
            return []
        return [stored.cid for stored in self._taken.result()]


AnyUpload = FilesUpload | FolderUpload | CarUpload
