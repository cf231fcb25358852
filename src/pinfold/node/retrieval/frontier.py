"""What a retrieval knows of its DAG: which blocks are here, which are linked and missing, what was not looked at yet.

A block is *here* once its bytes were verified and given to the writer; ids, which bitmaps hold, it has only after the
next flush, so that those of the time in between are remembered by CID.  Memory stays flat whatever the DAG: what is
here costs bits, and beyond a million known missing blocks no further links are followed until some of them came.

Nothing here waits or locks: whoever calls holds the lock of the retrieval.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from pyroaring import BitMap

from pinfold.core import codec
from pinfold.core.binary_cid import codec_of, identity_data, multihash_of
from pinfold.core.cid import CBOR, CID, JSON, RAW
from pinfold.core.errors import DagTooDeep, QuotaExceeded, UnknownCodec
from pinfold.core.multihash import SHA2_256_PREFIX, check_secure
from pinfold.store import Store
from pinfold.store.rows import unpack_block
from pinfold.store.walk import MAX_DEPTH
from pinfold.store.writer import Writer

MAX_MISSING: Final = 1 << 20
"""Missing blocks that are kept in mind, about 250 bytes each."""
_LOOK_BACK: Final = 64
_LEAVES: Final = frozenset({RAW, CBOR, JSON})
_READABLE: Final = codec.KNOWN | _LEAVES


class Wanted(NamedTuple):
    """A block that is linked and not here; ``depth`` is how many links lie between it and the root."""

    cid: bytes
    depth: int


class Found(NamedTuple):
    """What became of the links of a block: how many different ones there are, and how many are not here."""

    links: int
    missing: int


def key_of(cid: bytes) -> bytes:
    """One key for ``Qm…`` and ``bafy…`` of the same node."""
    return b"\x01\x70" + cid if cid[0] == 0x12 else cid


def has_links(cid: bytes) -> bool:
    """Whether what a CID names may link to something."""
    return codec_of(cid) not in _LEAVES


class Frontier:
    """The DAG of one retrieval, as far as it is known."""

    def __init__(
        self,
        store: Store,
        writer: Writer,
        root: CID,
        max_bytes: int | None,
        hidden: Callable[[], BitMap] | None = None,
    ) -> None:
        """``hidden`` returns ids of blocks that count as missing until this retrieval has fetched them."""
        self._store = store
        self._writer = writer
        self._root = root
        self._max_bytes = max_bytes
        self._hidden_ids = hidden
        self._hidden: BitMap | None = None if hidden else BitMap()
        self._ids = BitMap()
        self._followed: defaultdict[int, BitMap] = defaultdict(BitMap)  # by codec: one block may be read as two
        self._fresh: set[bytes] = set()  # keys of what came since the last flush
        self._fresh_multihashes: set[bytes] = set()
        self.looked_up = 0
        """Since the last flush; the writer remembers all of it until then."""
        self.blocks = 0
        self.bytes = 0
        self.wanted: dict[bytes, Wanted] = {}
        """By key: missing, and nobody fetches it; those that were found last come last."""
        self.claimed: dict[bytes, Wanted] = {}
        """Missing, and being fetched."""
        self.stuck: dict[bytes, Wanted] = {}
        """Missing, and no source that was asked has it."""
        self.later: list[Wanted] = []
        """Blocks that are here and whose links were not looked at yet."""

    @property
    def missing(self) -> int:
        """How many blocks are known to be missing."""
        return len(self.wanted) + len(self.claimed) + len(self.stuck)

    @property
    def is_complete(self) -> bool:
        """Whether everything is here."""
        return not (self.wanted or self.claimed or self.stuck or self.later)

    @property
    def has_room(self) -> bool:
        """Whether links may be followed now."""
        return self.missing < MAX_MISSING

    def first_missing(self) -> CID | None:
        """A block that is missing, or None."""
        for known in (self.stuck, self.claimed, self.wanted):
            for wanted in known.values():
                return CID.from_bytes(wanted.cid)
        return None

    # -- links -----------------------------------------------------------------------------------------------------

    def follow(self, links: Sequence[bytes], depth: int) -> Found:
        """Look at links: what they name is counted when it is here, kept from gc, and wanted when it is not.

        Raises:  DagTooDeep, UnknownCodec, InsecureHash and its kin, MalformedBlock, QuotaExceeded, StoreCorrupt.
        """
        fresh = self._unseen(links, depth)
        here = self._look_up(fresh)
        missing = 0
        for key, wanted in fresh.items():
            row = here.get(key)
            if row is None:
                self.wanted[key] = wanted
                missing += 1
                continue
            block_id, length = row
            kind = codec_of(wanted.cid)
            if block_id in self._followed[kind]:
                continue
            self._followed[kind].add(block_id)
            if block_id not in self._ids:
                self._ids.add(block_id)
                self._count(length)
            if kind not in _LEAVES:
                self.later.append(wanted)
        return Found(len(fresh), missing)

    def look_again(self) -> None:
        """Look once more for everything that is wanted: some of it may have become known meanwhile."""
        before, self.wanted = self.wanted, {}
        for wanted in before.values():
            self.follow([wanted.cid], wanted.depth)

    def _unseen(self, links: Sequence[bytes], depth: int) -> dict[bytes, Wanted]:
        """What the links name, by key, each once; without what came just now or is known to be missing."""
        fresh: dict[bytes, Wanted] = {}
        waiting: list[tuple[Sequence[bytes], int]] = [(links, depth)]
        while waiting:
            some, level = waiting.pop()
            if some and level > MAX_DEPTH:
                raise DagTooDeep(f"the DAG of {self._root} is deeper than {MAX_DEPTH:,} levels")
            for cid in some:
                key = key_of(cid)
                if key in fresh or key in self._fresh or self._is_missing(key):
                    continue
                multihash = multihash_of(cid)
                if multihash[:2] != SHA2_256_PREFIX:
                    check_secure(multihash)
                kind = codec_of(cid)
                if kind not in _READABLE:
                    raise UnknownCodec(
                        f"{self._root} cannot be pinned: it links to {CID.from_bytes(cid)}, and nobody here can say "
                        "what a block of that codec links to"
                    )
                data = identity_data(cid)
                if data is None:
                    fresh[key] = Wanted(cid, level)
                elif kind not in _LEAVES:  # the CID carries the bytes; what it carries is always smaller than itself
                    waiting.append((codec.links(kind, data), level + 1))
        return fresh

    def _is_missing(self, key: bytes) -> bool:
        return key in self.wanted or key in self.claimed or key in self.stuck

    def _look_up(self, fresh: dict[bytes, Wanted]) -> dict[bytes, tuple[int, int]]:
        """Id and length of what is stored, by key, once the writer's session keeps it from gc."""
        found: dict[bytes, tuple[int, int]] = {}
        with self._store.catalogue.read() as txn:
            get, blocks = txn.get, self._store.catalogue.blocks
            for key, wanted in fresh.items():
                row = get(multihash_of(wanted.cid), db=blocks)
                if row is not None:
                    block_id, _, _, length, _ = unpack_block(row)
                    found[key] = (block_id, length)
        for key in [key for key, (block_id, _) in found.items() if self._is_hidden(block_id)]:
            del found[key]
        keys = list(found)
        handles = self._writer.handles([multihash_of(fresh[key].cid) for key in keys])
        self.looked_up += len(keys)
        for key, handle in zip(keys, handles, strict=True):
            if handle is None:  # gc takes it away just now
                del found[key]
        return found

    def _is_hidden(self, block_id: int) -> bool:
        if self._hidden is None:  # computed only for a DAG of which something is here: that may take a second
            assert self._hidden_ids is not None
            self._hidden = self._hidden_ids()
        return block_id in self._hidden and block_id not in self._ids

    def _count(self, length: int) -> None:
        self.blocks += 1
        self.bytes += length
        self.check_room(0)

    def check_room(self, more_bytes: int) -> None:
        """Refuse what would be more than the quota allows.  Raises: QuotaExceeded."""
        if self._max_bytes is not None and self.bytes + more_bytes > self._max_bytes:
            raise QuotaExceeded(
                f"{self._root} was stopped at {self.bytes + more_bytes:,} bytes: the quota allows {self._max_bytes:,}"
            )

    # -- blocks that come --------------------------------------------------------------------------------------------

    def latest(self, fits: Callable[[bytes], bool]) -> bytes | None:
        """The wanted block that was found last, of those that fit; only the last few are looked at."""
        passed: list[tuple[bytes, Wanted]] = []
        found = None
        while self.wanted and len(passed) < _LOOK_BACK and found is None:
            # Not by ``reversed``: that walks over all that was removed from the end, again and again.
            passed.append(self.wanted.popitem())
            if fits(passed[-1][0]):
                found = passed[-1][0]
        self.wanted.update(reversed(passed))
        return found

    def claim(self, key: bytes) -> Wanted | None:
        """Take what is missing for fetching; None when nobody misses it."""
        wanted = self.wanted.pop(key, None) or self.stuck.pop(key, None)
        if wanted is not None:
            self.claimed[key] = wanted
        return wanted or self.claimed.get(key)

    def give_back(self, key: bytes, *, stuck: bool = False) -> None:
        """Say that whoever fetched it did not get it."""
        wanted = self.claimed.pop(key, None)
        if wanted is not None:
            (self.stuck if stuck else self.wanted)[key] = wanted

    def depth_of(self, key: bytes) -> int | None:
        """How deep a missing block lies; None for one that is not missing."""
        wanted = self.claimed.get(key) or self.wanted.get(key) or self.stuck.get(key)
        return wanted.depth if wanted is not None else None

    def arrived(self, key: bytes, length: int) -> bool:
        """Count a block that the writer has; False when it came from elsewhere meanwhile."""
        wanted = self.claimed.pop(key, None) or self.wanted.pop(key, None) or self.stuck.pop(key, None)
        if wanted is None:
            return False
        self._fresh.add(key)
        multihash = multihash_of(wanted.cid)
        if multihash not in self._fresh_multihashes:
            self._fresh_multihashes.add(multihash)
            self._count(length)
        return True

    def knows(self, cid: bytes) -> bool:
        """Whether a block is here, of this DAG or not."""
        if key_of(cid) in self._fresh:
            return True
        row = self._store.row(multihash_of(cid))
        return row is not None and not self._is_hidden(row.id)

    def unstick(self, keys: Iterable[bytes] | None = None) -> None:
        """Want again what nobody had: there is somebody new to ask."""
        for key in list(self.stuck if keys is None else keys):
            self.wanted[key] = self.stuck.pop(key)

    def flushed(self) -> None:
        """Take note that everything that came is catalogued, and the writer forgot what it looked up."""
        with self._store.catalogue.read() as txn:
            get, blocks = txn.get, self._store.catalogue.blocks
            for key in self._fresh:
                row = get(multihash_of(key), db=blocks)
                if row is not None:
                    block_id = unpack_block(row)[0]
                    self._ids.add(block_id)
                    self._followed[codec_of(key)].add(block_id)
        self._fresh.clear()
        self._fresh_multihashes.clear()
        self.looked_up = 0
