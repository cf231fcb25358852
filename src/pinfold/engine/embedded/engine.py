"""The embedded engine: one peer, which is the node in this process."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, Final, TypeVar

from pinfold.core.cid import CID
from pinfold.core.errors import BlockCorrupt, BlockNotFound, PinNotFound, QuotaExceeded, StoreUnreadable
from pinfold.core.pin import PinMode
from pinfold.engine.interface import PLAINLY, Content, Peer, PeerStatus, PinOptions, TrackerStatus
from pinfold.node import Node
from pinfold.node.retrieval.model import RetrievalProgress
from pinfold.node.retrieval.retriever import Retriever
from pinfold.store.shared_pins import SharedPins

T = TypeVar("T")

PEER: Final = Peer(id="embedded", name="this machine")


class EmbeddedEngine:
    """An ``Engine`` over one open ``Node``, which stays the caller's to close; so does the ``Retriever``.

    What is not here comes by verified HTTP where there is a retriever, and cannot be had where there is none.

    The platform's pins bear ``pin_name``.  A root that somebody pinned by hand keeps its own name: it counts as kept,
    and is left alone when the platform needs it no longer.
    """

    def __init__(
        self, node: Node, *, pin_name: str, retriever: Retriever | None = None, threads: int = 16, fetches: int = 4
    ) -> None:
        """``threads`` is how many pins share a sync; ``fetches``, how many DAGs are fetched at the same time."""
        self._node = node
        self._pin_name = pin_name
        self._retriever = retriever
        self._shared_pins = SharedPins(node.store)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="engine")
        # Their own threads: fetches take long, and must not hold up what is here.
        self._fetchers = ThreadPoolExecutor(fetches, thread_name_prefix="engine-fetch")

    async def peers(self) -> Sequence[Peer]:
        """The one there is.  Raises: StoreUnreadable, where the data folder was removed beneath it."""
        if not self._node.data_dir.exists():
            raise StoreUnreadable(f"the data folder {self._node.data_dir} is not there any more")
        return (PEER,)

    async def put_car(self, car: BinaryIO) -> None:
        """See ``Engine.put_car``."""
        await self._run(lambda: self._node.dag_import(car, pin_roots=False))

    async def pin(self, cid: CID, options: PinOptions = PLAINLY) -> Content:
        """Pinned when this returns.  See ``Engine.pin``."""
        try:
            if options.hidden is not None:
                raise BlockNotFound(f"{cid} is not here")
            return await self._run(lambda: self._pin_local(cid, options.max_bytes))
        except (BlockNotFound, BlockCorrupt) as exc:
            # Which of its blocks is missing would say which of them other tenants keep.  A damaged one counts as
            # missing: a source that has it heals it.
            missing = BlockNotFound(f"{cid} is not here, or not all of it")
            if self._retriever is None:
                raise exc if isinstance(exc, BlockCorrupt) else missing from exc
            self._retriever.require_somebody(missing, options.origins)
            if not options.may_fetch:
                raise missing from exc
        fetch = functools.partial(self._fetch, self._retriever, cid, options)
        return await asyncio.get_running_loop().run_in_executor(self._fetchers, fetch)

    def _pin_local(self, cid: CID, max_bytes: int | None) -> Content:
        is_new = self._name_of_pin(cid) is None
        if is_new:
            self._shared_pins.pin(cid, self._pin_name)
        content = self._content_of(cid)
        if max_bytes is not None and content.bytes > max_bytes:
            if is_new:
                self._unpin(cid)
            raise QuotaExceeded(f"{cid} has {content.bytes:,} bytes: the quota leaves {max_bytes:,}")
        return content

    def _content_of(self, cid: CID) -> Content:
        """How much a pinned root keeps.  Raises: PinNotFound, where somebody was faster."""
        store = self._node.store
        with store.catalogue.read() as txn:
            row = store.pins.row(txn, cid)
            if row is None:
                raise PinNotFound(f"{cid} was unpinned meanwhile")
            return Content(len(row.ids), store.catalogue.total_bytes(txn, row.ids))

    def _fetch(self, retriever: Retriever, cid: CID, options: PinOptions) -> Content:
        tell = options.progress

        def progress(now: RetrievalProgress) -> None:
            if tell is not None:
                tell(Content(now.blocks, now.bytes))

        done = retriever.retrieve(
            cid,
            origins=options.origins,
            pin_name=self._pin_name,
            max_bytes=options.max_bytes,
            progress=progress,
            stop=options.stop,
            hidden=options.hidden,
        )
        return Content(done.blocks, done.bytes)

    async def unpin(self, cid: CID) -> None:
        """Unpinned when this returns.  See ``Engine.unpin``."""
        await self._run(lambda: self._unpin(cid))

    def _unpin(self, cid: CID) -> None:
        if self._name_of_pin(cid) == self._pin_name:
            try:
                self._node.pin_rm(cid)
            except PinNotFound:  # another process was faster
                pass

    async def status(self, cid: CID) -> Sequence[PeerStatus]:
        """See ``Engine.status``."""
        pinned = (
            self._name_of_pin(cid) is not None
        )  # one look at a map in memory: a thread would take ten times as long
        return (PeerStatus(PEER, TrackerStatus.PINNED if pinned else TrackerStatus.UNPINNED),)

    def _name_of_pin(self, cid: CID) -> str | None:
        """The name of the recursive pin of a root, or None; which other pins reach it would cost a look at them all."""
        store = self._node.store
        with store.catalogue.read() as txn:
            row = store.pins.row(txn, cid)
        return row.name if row is not None and row.mode is PinMode.RECURSIVE else None

    async def pins(self) -> AsyncIterator[CID]:
        """See ``Engine.pins``."""
        for cid in await self._run(self._own_pins):
            yield cid

    def _own_pins(self) -> list[CID]:
        # A list, not a stream: a read of the catalogue must not stay open while somebody decides about each pin.
        return [pin.cid for pin in self._node.pin_ls(mode=PinMode.RECURSIVE) if pin.name == self._pin_name]

    async def close(self) -> None:
        """See ``Engine.close``."""
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._fetchers.shutdown)

    async def _run(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)
