"""The sorted entries of large folders, kept within a bound of bytes; many who want one folder share one reading.

A CID names the same entries for ever, so nothing here grows old.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from pinfold.core.cid import CID
from pinfold.core.client_network import client_network
from pinfold.gateway.fair_pool import FairPool
from pinfold.node import Node
from pinfold.node.model import FolderLink

MAX_ENTRIES: Final = 100_000  # names held in memory while they are sorted
CACHE_BYTES: Final = 48 << 20  # some six folders of 100,000 names
_YIELD_EVERY: Final = 1000
_YIELD_S: Final = 0.001
"""Pauses while a folder is read: a sleeping thread leaves the interpreter to the event loop, at a fifth of the time."""


class Entries:
    """The entries of one folder by name, packed: 100,000 of them take 8 MB, as objects 25."""

    def __init__(self, links: Iterable[FolderLink], *, is_cut: bool) -> None:
        ordered = sorted(links)
        self.is_cut = is_cut
        """The folder has more."""
        self._names = b"".join(link.name for link in ordered)
        self._cids = b"".join(link.cid for link in ordered)
        self._name_ends = array("Q", _ends(len(link.name) for link in ordered))
        self._cid_ends = array("Q", _ends(len(link.cid) for link in ordered))
        self._sizes = array("Q", (link.tsize for link in ordered))

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def size_bytes(self) -> int:
        """What they take in memory."""
        return len(self._names) + len(self._cids) + 3 * 8 * len(self) + 500

    def part(self, start: int, stop: int) -> list[FolderLink]:
        """Entries ``start``..``stop``, in the order of their names."""
        return [self._at(number) for number in range(start, min(stop, len(self)))]

    def find(self, name: bytes) -> bytes | None:
        """The CID under a name; None where there is none."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._name(middle) < name:
                low = middle + 1
            else:
                high = middle
        return self._at(low).cid if low < len(self) and self._name(low) == name else None

    def _name(self, number: int) -> bytes:
        return self._names[self._name_ends[number - 1] if number else 0 : self._name_ends[number]]

    def _at(self, number: int) -> FolderLink:
        cid = self._cids[self._cid_ends[number - 1] if number else 0 : self._cid_ends[number]]
        return FolderLink(self._name(number), cid, self._sizes[number])


class FolderCache:
    """Entries by CID, those asked for last."""

    def __init__(self, node: Node, pool: FairPool, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._node = node
        self._pool = pool
        self._cache_bytes = cache_bytes
        self._known: OrderedDict[CID, Entries] = OrderedDict()
        self._known_bytes = 0
        self._reading: dict[tuple[str, CID], asyncio.Task[Entries]] = {}
        """By address: who shares a reading waits in the queue of its address."""

    def known(self, folder: CID) -> Entries | None:
        """The entries, where they were read before; in any thread."""
        return self._known.get(folder)

    async def entries(self, address: str, folder: CID) -> Entries:
        """The first ``MAX_ENTRIES`` entries of a folder, sorted.  Raises: what the node raises; Refusal (429)."""
        entries = self.known(folder)
        if entries is not None:
            self._known.move_to_end(folder)
            return entries
        key = (client_network(address), folder)
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = asyncio.create_task(self._read(address, folder))
            reading.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(reading)  # others may wait for it, or will come

    async def _read(self, address: str, folder: CID) -> Entries:
        entries = await self._pool.run(address, lambda: self._known.get(folder) or self._sorted(folder))
        if folder in self._known:
            return entries
        self._known[folder] = entries
        self._known_bytes += entries.size_bytes
        while self._known_bytes > self._cache_bytes:
            self._known_bytes -= self._known.popitem(last=False)[1].size_bytes
        return entries

    def _forget(self, key: tuple[str, CID], done: asyncio.Task[Entries]) -> None:
        del self._reading[key]
        if not done.cancelled():
            done.exception()  # all who wanted it may have gone

    def _sorted(self, folder: CID) -> Entries:
        links = list(islice(_yielding(self._node.folder_links(folder)), MAX_ENTRIES + 1))
        return Entries(links[:MAX_ENTRIES], is_cut=len(links) > MAX_ENTRIES)


def _yielding(links: Iterator[FolderLink]) -> Iterator[FolderLink]:
    for number, link in enumerate(links):
        if number % _YIELD_EVERY == _YIELD_EVERY - 1:
            time.sleep(_YIELD_S)
        yield link


def _ends(lengths: Iterable[int]) -> Iterator[int]:
    end = 0
    for length in lengths:
        end += length
        yield end
