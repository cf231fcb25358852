"""A CAR becomes blocks in the store: every block hashed before it counts, all of it or nothing.

1. Records are read in order and gathered into groups; three threads hash a group and hand it to the writer.
2. What a block links to is noted, so that roots can be pinned without reading anything back.
3. Roots are walked; what the CAR does not hold must be stored already.
4. One commit makes the blocks known and the roots pinned.  Before it, any refusal takes everything back.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from typing import BinaryIO, Final, NoReturn, TypeAlias, cast

from pyroaring import BitMap

from pinfold.core import codec, varint
from pinfold.core.binary_cid import codec_of, identity_data, multihash_of
from pinfold.core.car import V0_CODEC, CarReader, Record, Run, record_prefix, verify_record
from pinfold.core.cid import CID, DAG_PB, RAW
from pinfold.core.errors import (
    BlockCorrupt,
    BlockNotFound,
    DagTooDeep,
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
from pinfold.store.walk import MAX_DEPTH
from pinfold.store.writer import BlockRun, NewBlock, Root, Writer

_RUN_BYTES: Final = 4 << 20
_RAW_LEAF: Final = b"\x01\x55\x12\x20"  # how a CIDv1 of raw and sha2-256 begins
_GROUP_RECORDS: Final = 500  # of those that come singly
_SHOWN: Final = 10  # missing blocks that an error names
_IN_FLIGHT: Final = WORKERS + 1  # runs: 16 MiB of records in memory

Node: TypeAlias = tuple[int, bytes]
"""A codec and a multihash: the same bytes may have links by one codec and none, or others, by another."""
Links: TypeAlias = list[tuple[Node, list[bytes]]]


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
        self._waiting: deque[tuple[Future[Links], bytearray | None]] = deque()
        self._spare: list[bytearray] = []
        self.blocks = 0
        self.bytes = 0

    def read(self, reader: CarReader) -> None:
        """Take every record of the CAR."""
        singles: list[Record] = []
        with ThreadPoolExecutor(WORKERS, "pinfold-import") as pool:
            try:
                for item in reader.runs(_RUN_BYTES, self._spare):
                    if isinstance(item, Run):
                        work = pool.submit(self._store_run, item)
                        self._submit(work, len(item.lengths), sum(item.lengths), item.buffer)
                        continue
                    singles.append(item)
                    if len(singles) >= _GROUP_RECORDS:
                        self._submit_singles(pool, singles)
                        singles = []
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
            self._writer.flush()
        if self._progress is not None:
            self._progress(Progress(self.bytes, 0, self.blocks, 0))

    def _take(self) -> None:
        work, buffer = self._waiting.popleft()
        self._links.update(work.result())
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
                        links.append(((kind, multihash), codec.links(kind, bytes(data))))
                    except MalformedBlock as exc:
                        raise _unreadable(_record(run, start), exc) from exc
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
                    links.append(((kind, multihash), codec.links(kind, data)))
                except MalformedBlock as exc:
                    raise _unreadable(record, exc) from exc
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
        if -1 - handle in self._brought or -1 - handle in self._writer.mine:
            return True
        if self._usable is None:
            self._usable = self._may_use()
        return -1 - handle in self._usable

    def reach(self, root: bytes) -> list[int]:
        """Handles of everything a root reaches.  Raises: BlockNotFound, DagTooDeep, MalformedBlock, UnknownCodec."""
        handles: list[int] = []
        seen: set[bytes] = set()
        followed: set[Node] = set()
        level, depth = dict.fromkeys([root]), 0  # in the order of the links
        while level:
            # Raw leaves are nearly all there is: they are taken in bulk, the others one by one.
            leaves = {cid[2:]: cid for cid in level if cid[:4] == _RAW_LEAF}
            fresh = {key: leaves[key] for key in leaves.keys() - seen} if seen else leaves
            seen.update(fresh)
            inner: list[tuple[Node, bytes]] = []
            for cid in [cid for cid in level if cid[:4] != _RAW_LEAF]:
                key, kind = multihash_of(cid), codec_of(cid)
                if key not in seen and key[0] != IDENTITY:
                    seen.add(key)
                    fresh[key] = cid
                if kind != RAW and (kind, key) not in followed:
                    followed.add((kind, key))
                    inner.append(((kind, key), cid))
            found = self._writer.handles(list(fresh))
            gone = {
                key for key, handle in zip(fresh, found, strict=True) if handle is None or not self._is_usable(handle)
            }
            if gone:
                missing = [cid for cid in level if multihash_of(cid) in gone]  # in the order of the links
                raise self._incomplete(root, missing)
            handles += cast("list[int]", found)
            level = dict.fromkeys(link for node, cid in inner for link in self._links_of(node, cid))
            depth += 1
            if depth > MAX_DEPTH:
                raise DagTooDeep(f"the DAG of {CID.from_bytes(root)} is deeper than {MAX_DEPTH:,} levels")
        return handles

    def _incomplete(self, root: bytes, missing: list[bytes]) -> IncompleteDag:
        shown = ", ".join(str(CID.from_bytes(cid)) for cid in missing[:_SHOWN])
        more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        what = f"block {shown} is" if len(missing) == 1 else f"blocks {shown}{more} are"
        return IncompleteDag(f"{CID.from_bytes(root)} cannot be pinned: {what} neither in the CAR nor here")

    def _links_of(self, node: Node, cid: bytes) -> list[bytes]:
        known = self._links.get(node)
        if known is not None:
            return known
        kind = node[0]
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
        reached = [work.reach(root) for root in roots] if pin_roots else []
        new_blocks = writer.written
        writer.commit(
            [Root(cid, handles, pin_name, keep_name=keep_pin_name) for cid, handles in zip(cids, reached, strict=False)]
        )
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
