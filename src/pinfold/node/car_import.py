"""A CAR becomes blocks in the store: every block hashed before it counts, all of it or nothing.

1. Records are read in order and gathered into groups; three threads hash a group and hand it to the writer.
2. What a block links to is kept, up to a limit, so that most roots are pinned without reading anything back.
3. Roots are walked; what the CAR does not hold must be stored already.  Nodes beyond the limit are read back.
4. One commit makes the blocks known and the roots pinned.  Before it, any refusal takes everything back.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from typing import BinaryIO, Final, NamedTuple, NoReturn, TypeAlias, cast

from pyroaring import BitMap

from pinfold.core import codec, varint
from pinfold.core.binary_cid import codec_of, identity_data, multihash_of
from pinfold.core.car import V0_CODEC, CarReader, Record, Run, record_prefix, verify_record
from pinfold.core.cid import CID, DAG_PB, RAW
from pinfold.core.errors import (
    BlockCorrupt,
    BlockNotFound,
    IncompleteDag,
    MalformedBlock,
    MalformedCar,
    UnknownCodec,
)
from pinfold.core.multihash import IDENTITY
from pinfold.node.leaves import WORKERS
from pinfold.node.model import Imported, Progress
from pinfold.store import Store
from pinfold.store.rows import tag_of, tag_of_cid
from pinfold.store.walk import LOOKUPS, follow
from pinfold.store.writer import BlockRun, NewBlock, Root, Writer

_RUN_BYTES: Final = 4 << 20
_GROUP_RECORDS: Final = 500  # of those that come singly
_KEPT_LINKS: Final = 300_000  # about 30 MB: the inner nodes of 70 GiB in chunks of 256 KiB
_NODE_COST: Final = 3  # a node in memory weighs as much as so many links
_SHOWN: Final = 10  # missing blocks that an error names
_IN_FLIGHT: Final = WORKERS + 1  # runs: 16 MiB of records in memory

Node: TypeAlias = tuple[int, bytes]
"""A codec and a multihash: the same bytes may have links by one codec and none, or others, by another."""
Links: TypeAlias = list[tuple[Node, list[bytes]]]


class Reached(NamedTuple):
    """What a root reaches: blocks of the CAR that are not catalogued yet by serial, others by id."""

    serials: BitMap
    ids: BitMap


class _Import:
    def __init__(
        self,
        store: Store,
        writer: Writer,
        *,
        walk: bool,
        may_use: Callable[[], BitMap] | None,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._store = store
        self._writer = writer
        self._walk = walk
        self._may_use = may_use
        self._usable: BitMap | None = None
        self._brought = BitMap()  # ids of blocks that the CAR has and that were stored before
        self._counting = threading.Lock()
        self._progress = progress
        self._links: dict[Node, list[bytes]] = {}
        self._room = _KEPT_LINKS if walk else 0
        self._waiting: deque[tuple[Future[Links], bytearray | None]] = deque()
        self._spare: list[bytearray] = []
        self.blocks = 0
        self.bytes = 0

    def read(self, reader: CarReader) -> None:
        """Take every record of the CAR."""
        singles: list[Record] = []
        size = 0
        with ThreadPoolExecutor(WORKERS, "pinfold-import") as pool:
            try:
                for item in reader.runs(_RUN_BYTES, self._spare):
                    if isinstance(item, Run):
                        work = pool.submit(self._store_run, item)
                        self._submit(work, len(item.lengths), sum(item.lengths), item.buffer)
                        continue
                    singles.append(item)
                    size += len(item.data)
                    if len(singles) >= _GROUP_RECORDS or size >= _RUN_BYTES:
                        self._submit_singles(pool, singles)
                        singles, size = [], 0
                self._submit_singles(pool, singles)
            except BaseException:
                while self._waiting:  # an error in an earlier record is the one that people should see
                    self._take()
                raise
            while self._waiting:
                self._take()

    def _submit_singles(self, pool: ThreadPoolExecutor, group: list[Record]) -> None:
        size = sum(len(record.data) for record in group)
        self._submit(pool.submit(self._store_singles, group), len(group), size)

    def _submit(self, work: Future[Links], blocks: int, size: int, buffer: bytearray | None = None) -> None:
        self.blocks += blocks
        self.bytes += size
        self._waiting.append((work, buffer))
        if len(self._waiting) >= _IN_FLIGHT:
            self._take()
        if self._writer.is_full:
            while self._waiting:
                self._take()
            self._writer.flush(keep_serials=False)
        if self._progress is not None:
            self._progress(Progress(self.bytes, 0, self.blocks, 0))

    def _take(self) -> None:
        work, buffer = self._waiting.popleft()
        for node, links in work.result():
            self._room -= len(links) + _NODE_COST
            if self._room >= 0:
                self._links[node] = links
        if buffer is not None:
            self._spare.append(buffer)

    def _store_run(self, run: Run) -> Links:
        """Hash a run, write it as it is, and give the links in it."""
        view = memoryview(run.buffer)
        links: Links = []
        for multihash, start, length, code in zip(run.multihashes, run.starts, run.lengths, run.codecs, strict=True):
            data = view[start : start + length]
            if sha256(data).digest() != multihash[2:]:
                _refuse(run, start)
            if code != RAW and self._walk:
                kind = DAG_PB if code == V0_CODEC else code
                if kind in codec.KNOWN:
                    try:
                        found = codec.links(kind, bytes(data))
                    except MalformedBlock as exc:
                        raise _unreadable(_record(run, start), exc) from exc
                    if self._room > 0:
                        links.append(((kind, multihash), found))
        self._writer.put_run(
            BlockRun(
                data=view[: run.stop],
                multihashes=run.multihashes,
                starts=run.starts,
                lengths=run.lengths,
                sizes=run.sizes,
                tags=[tag_of(0, DAG_PB) if code == V0_CODEC else code for code in run.codecs],
            )
        )
        self._note_brought(run.multihashes)
        return links

    def _store_singles(self, group: list[Record]) -> Links:
        blocks: list[NewBlock] = []
        links: Links = []
        for record in group:
            verify_record(record)
            cid, data, _ = record
            tag, multihash = tag_of_cid(cid)
            if multihash[0] == IDENTITY:  # the CID carries the bytes: there is nothing to store
                continue
            blocks.append(NewBlock(multihash, tag, record_prefix(cid, len(data)), data))
            kind = codec_of(cid)
            if self._walk and kind != RAW and kind in codec.KNOWN:
                try:
                    found = codec.links(kind, data)
                except MalformedBlock as exc:
                    raise _unreadable(record, exc) from exc
                if self._room > 0:
                    links.append(((kind, multihash), found))
        self._writer.put(blocks)
        self._note_brought([block.multihash for block in blocks])
        return links

    def _note_brought(self, multihashes: list[bytes]) -> None:
        """Remember which blocks came with the CAR although they were here: whoever sends one may use it."""
        if self._may_use is None:
            return
        known = [-1 - handle for handle in self._writer.handles(multihashes) if handle is not None and handle < 0]
        with self._counting:
            self._brought.update(known)

    def _is_usable(self, handle: int) -> bool:
        if handle >= 0 or self._may_use is None:
            return True
        if -1 - handle in self._brought or self._writer.brought(-1 - handle):
            return True
        if self._usable is None:
            self._usable = self._may_use()
        return -1 - handle in self._usable

    @property
    def kept_too_few(self) -> bool:
        """Whether there were more links than are kept in memory."""
        return self._room < 0

    def reach(self, root: CID) -> Reached:
        """Everything that a root reaches.  Raises: IncompleteDag, DagTooDeep, MalformedBlock, UnknownCodec."""
        walk = _Walk(root.bytes, self)
        follow(root.bytes, walk.resolve, self._links_of, self._store.layout.root)
        return walk.reached

    def look_up(self, multihashes: list[bytes]) -> list[int | None]:
        """A handle for each block that may be used."""
        if self._writer.is_full:
            self._writer.flush()
        found = self._writer.handles(multihashes, hashed=True)
        return [handle if handle is not None and self._is_usable(handle) else None for handle in found]

    def _links_of(self, cid: bytes) -> list[bytes]:
        kind = codec_of(cid)
        known = self._links.get((kind, multihash_of(cid)))
        if known is not None:
            return known
        if kind not in codec.KNOWN:
            try:
                return codec.links(kind, b"")
            except UnknownCodec as exc:
                raise UnknownCodec(
                    f"nobody here can say what block {CID.from_bytes(cid)} links to: {exc}",
                    hint="Import it with --no-pin-roots to keep what there is.",
                ) from exc
        data = identity_data(cid)
        return codec.links(kind, self._read(cid) if data is None else data)

    def _read(self, cid: bytes) -> bytes:
        """A block that is stored, or that the CAR has under another codec."""
        try:
            return self._store.read_cid(cid)
        except BlockNotFound:
            self._writer.flush()
            return self._store.read_cid(cid)


class _Walk:
    """The walk from one root: what it has met, as bitmaps, so that it takes next to nothing for each block."""

    def __init__(self, root: bytes, work: _Import) -> None:
        self._root = root
        self._work = work
        self._followed: dict[tuple[int, bool], BitMap] = {}  # by codec: the same bytes may be a file and a node
        self.reached = Reached(BitMap(), BitMap())

    def resolve(self, cids: list[bytes]) -> list[bytes]:
        """Note blocks as reached; the CIDs among them whose links are still to be followed."""
        inner: list[bytes] = []
        for start in range(0, len(cids), LOOKUPS):
            some = list(dict.fromkeys(cids[start : start + LOOKUPS]))
            keys = [multihash_of(cid) for cid in some]
            found = self._work.look_up([key for key in keys if key[0] != IDENTITY])
            handles = iter(found)
            if None in found:
                raise self._incomplete(some)
            for cid, key in zip(some, keys, strict=True):
                kind = codec_of(cid)
                if key[0] == IDENTITY:
                    if kind != RAW:
                        inner.append(cid)
                    continue
                if self._note(cast("int", next(handles)), kind):
                    inner.append(cid)
        return inner

    def _note(self, handle: int, kind: int) -> bool:
        """Whether the block's links are news."""
        number, is_serial = (handle, True) if handle >= 0 else (-1 - handle, False)
        self.reached[0 if is_serial else 1].add(number)
        if kind == RAW:
            return False
        followed = self._followed.setdefault((kind, is_serial), BitMap())
        if number in followed:
            return False
        followed.add(number)
        return True

    def _incomplete(self, cids: list[bytes]) -> IncompleteDag:
        stored = [cid for cid in cids if multihash_of(cid)[0] != IDENTITY]
        found = self._work.look_up([multihash_of(cid) for cid in stored])
        missing = [cid for cid, handle in zip(stored, found, strict=True) if handle is None]  # in the order of links
        shown = ", ".join(str(CID.from_bytes(cid)) for cid in missing[:_SHOWN])
        more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        what = f"block {shown} is" if len(missing) == 1 else f"blocks {shown}{more} are"
        return IncompleteDag(f"{CID.from_bytes(self._root)} cannot be pinned: {what} neither in the CAR nor here")


def import_car(
    store: Store,
    stream: BinaryIO,
    *,
    pin_roots: bool = True,
    pin_name: str = "",
    keep_pin_name: bool = False,
    max_roots: int | None = None,
    may_use: Callable[[], BitMap] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Imported:
    """Take in a whole CAR, or nothing of it.

    ``may_use`` gives the ids of stored blocks that may complete what the CAR holds; it is asked at most once, and only
    where such a block is met.  Without it every stored block may.

    Raises:  MalformedCar, BlockTooLarge, BlockCorrupt, InsecureHash, UnknownHash, IdentityTooLarge (all with the byte
             offset), IncompleteDag and MalformedBlock where a root cannot be pinned, StoreFull.
    """
    reader = CarReader(stream)
    roots = list(dict.fromkeys(reader.header.roots))
    if max_roots is not None and not 1 <= len(roots) <= max_roots:
        raise MalformedCar(f"the CAR names {len(roots):,} roots; 1 to {max_roots} can be taken", hint="")
    cids = [CID.from_bytes(root) for root in roots]
    with store.writer() as writer:
        work = _Import(store, writer, walk=pin_roots, may_use=may_use, progress=progress)
        work.read(reader)
        if work.kept_too_few:  # their nodes are read back, and must be catalogued for that
            writer.flush(keep_serials=False)
        new_blocks = writer.written
        pins = []
        for cid in cids if pin_roots else ():
            reached = work.reach(cid)
            pins.append(Root(cid, reached.serials, pin_name, keep_name=keep_pin_name, ids=reached.ids))
        writer.commit(pins)
    return Imported(tuple(cids), tuple(cids) if pin_roots else (), work.blocks, new_blocks, work.bytes)


def _refuse(run: Run, start: int) -> NoReturn:
    """Raise what is wrong with the record of a run whose payload is at ``start``."""
    record = _record(run, start)
    verify_record(record)
    raise BlockCorrupt(f"the record at byte {record.offset} of the CAR does not match its CID")


def _record(run: Run, start: int) -> Record:
    """The record of a run whose payload is at ``start``."""
    index = run.starts.index(start)
    stop = start + run.lengths[index]
    first = stop - run.sizes[index]
    _, begin = varint.decode(run.buffer, first)
    return Record(bytes(run.buffer[begin:start]), bytes(run.buffer[start:stop]), run.offset + first)


def _unreadable(record: Record, why: MalformedBlock) -> MalformedBlock:
    """The error for a block whose links a pin would have to know and which is not what its codec says."""
    return MalformedBlock(
        f"the record at byte {record.offset} of the CAR, block {CID.from_bytes(record.cid)}, cannot be read: {why}",
        hint="Import it with --no-pin-roots to keep the blocks all the same.",
    )
