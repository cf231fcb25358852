"""A branch of a DAG as one CAR: read as it comes, each block verified, and only what is linked to is kept.

1. Records are read in order.  What is missing is claimed; a block with links is hashed and stored at once, because the
   next records depend on it; leaves are gathered, and hashed and written by other threads.
2. What is here already is passed over.  Once that is most of what comes, the rest is better fetched block by block.
3. What nobody asked for is hashed, and kept for a while in case that the order is another one; a source that goes on
   sending such blocks is dropped.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import httpx

from pinfold.core.binary_cid import multihash_of
from pinfold.core.car import CarReader, Record, verify_record
from pinfold.core.cid import CID
from pinfold.core.errors import BlockCorrupt, BlockTooLarge, InvalidCID, MalformedCar, UnknownHash
from pinfold.core.multihash import IDENTITY
from pinfold.node.retrieval.frontier import Found, has_links, key_of
from pinfold.node.retrieval.source import Lied, Source
from pinfold.node.retrieval.transfers import is_idle

if TYPE_CHECKING:
    from pinfold.node.retrieval.retrieval import Retrieval

_GROUP_BYTES: Final = 1 << 20
_GROUP_BLOCKS: Final = 256
_IN_FLIGHT: Final = 6  # groups that wait for a hasher: 12 MiB at most
_ALIEN_BYTES: Final = 4 << 20  # of blocks that nobody asked for
_ALIEN_BLOCKS: Final = 1024
_KNOWN_BYTES: Final = 4 << 20  # of blocks that are here, before it is asked whether the stream pays


def fetch_branch(retrieval: Retrieval, source: Source, cid: CID) -> None:
    """Store what a source's CAR of ``cid`` has of what is missing; some may still be missing then.

    Raises:  OffersNoCar, Lacks, Lied, FetchFailed, httpx's errors; QuotaExceeded, StoreFull and their kin.
    """
    with source.car(cid, retrieval.transfers) as response:
        intake = _Intake(retrieval, source)
        try:
            for record in CarReader(cast("BinaryIO", _Body(response, intake))):
                if retrieval.ended or not intake.take(record):
                    break
        except (MalformedCar, BlockTooLarge, InvalidCID) as exc:
            with retrieval.lock:
                source.offers_car = False
                source.last_word = f"its CAR cannot be read: {exc}"
        finally:
            intake.finish()


class _Body:
    """The body of an answer as a stream to read from; gives what there is, so that nothing waits for more."""

    def __init__(self, response: httpx.Response, intake: _Intake) -> None:
        self._response = response
        self._pieces: Iterator[bytes] = response.iter_raw()
        self._rest = memoryview(b"")
        self._intake = intake

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; none at the end.  Raises: httpx's errors."""
        if not self._rest:
            if is_idle(self._response):
                self._intake.pause()
            self._intake.check_pace()
            self._rest = memoryview(next(self._pieces, b""))
        piece, self._rest = self._rest[:size], self._rest[size:]
        return bytes(piece)


class _Intake:
    def __init__(self, retrieval: Retrieval, source: Source) -> None:
        self._retrieval = retrieval
        self._source = source
        self._claimed: set[bytes] = set()  # keys that this stream claimed and that were not delivered yet
        self._group: list[tuple[bytes, Record]] = []
        self._group_bytes = 0
        self._waiting: deque[Future[None]] = deque()
        self._aliens: dict[bytes, Record] = {}
        self._alien_blocks = self._alien_bytes = 0
        self._known_bytes = self._new_bytes = 0
        self._first: Found | None = None
        self._useful_at = time.monotonic()

    def pause(self) -> None:
        """Hand on what was gathered: nobody knows when more will come."""
        if self._group:
            self._hand_on()

    def check_pace(self) -> None:
        """Refuse a stream that brings nothing.  Raises: ReadTimeout."""
        if time.monotonic() - self._useful_at > self._source.trickle_s:
            raise httpx.ReadTimeout("nothing useful came for too long")

    def take(self, record: Record) -> bool:
        """Take one record; False when the rest of the stream would not pay."""
        cid, data, _ = record
        if multihash_of(cid)[0] == IDENTITY:  # some write them out; whoever links to it has it
            return self._pass_over(len(cid) + len(data))
        key = key_of(cid)
        with self._retrieval.lock:
            if self._retrieval.ended:
                return False
            wanted = self._retrieval.frontier.claim(key) if key not in self._claimed else None
            known = wanted is None and (key in self._claimed or self._retrieval.frontier.knows(cid))
        if known:
            return self._pass_over(len(data))
        if wanted is None:
            self._keep_alien(key, record)
            return True
        self._accept(key, Record(wanted.cid, data, record.offset))
        return self._first is None or not _mostly_here(self._first)

    def _accept(self, key: bytes, record: Record) -> None:
        self._claimed.add(key)
        self._new_bytes += len(record.data)
        self._useful_at = time.monotonic()
        if not has_links(record.cid):
            self._group.append((key, record))
            self._group_bytes += len(record.data)
            if self._group_bytes >= _GROUP_BYTES or len(self._group) >= _GROUP_BLOCKS:
                self._hand_on()
            return
        _verify(record)
        arrival = self._retrieval.arrival(key, record.cid, record.data)
        found = self._retrieval.deliver(self._source, [arrival], streamed=True)
        self._claimed.discard(key)
        if found is not None and self._first is None:
            self._first = found
        if self._aliens:
            for link in arrival.links:
                alien = self._aliens.pop(key_of(link), None)
                if alien is not None:
                    self.take(alien)

    def _pass_over(self, size: int) -> bool:
        self._known_bytes += size
        return self._known_bytes <= _KNOWN_BYTES or self._known_bytes <= self._new_bytes

    def _keep_alien(self, key: bytes, record: Record) -> None:
        _verify(record)
        self._alien_blocks += 1
        self._alien_bytes += len(record.data)
        if self._alien_blocks > _ALIEN_BLOCKS or self._alien_bytes > _ALIEN_BYTES:
            raise Lied("it sent blocks that nobody asked for")
        self._aliens[key] = record

    def _hand_on(self) -> None:
        """Have the leaves that were gathered hashed and written; wait where too many wait already."""
        group, self._group, self._group_bytes = self._group, [], 0
        self._waiting.append(self._retrieval.hashers.submit(self._store, group))
        while len(self._waiting) > _IN_FLIGHT:
            self._waiting.popleft().result()

    def _store(self, group: list[tuple[bytes, Record]]) -> None:
        for _, record in group:
            _verify(record)
        arrivals = [self._retrieval.arrival(key, record.cid, record.data) for key, record in group]
        if self._retrieval.deliver(self._source, arrivals, streamed=True) is not None:
            self._claimed.difference_update([key for key, _ in group])

    def finish(self) -> None:
        """Store what waits, and give back what was claimed and did not come.  Raises: Lied, and as ``deliver``."""
        try:
            if self._group and not self._retrieval.ended:
                self._hand_on()
            while self._waiting:
                self._waiting.popleft().result()
        finally:
            for work in self._waiting:
                work.exception()
            with self._retrieval.lock:
                for key in self._claimed:
                    self._retrieval.frontier.give_back(key)  # nothing happens for what was delivered


def _mostly_here(found: Found) -> bool:
    return found.links > 1 and 2 * found.missing < found.links


def _verify(record: Record) -> None:
    try:
        verify_record(record)
    except (BlockCorrupt, InvalidCID, UnknownHash) as exc:
        raise Lied(f"it sent other bytes for {CID.from_bytes(record.cid)}") from exc
