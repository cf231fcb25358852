"""Everything compared with everything: blocks with their hashes, pins with blocks, the catalogue with the files.

1. What writers that died left behind is settled, and pins keep what came since they lacked it.
2. One snapshot of the catalogue is taken, and the journal opened at the very length that belongs to it.
3. Every block is hashed where it lies.
4. What the snapshot says is added up and compared: counters, segments, pins, journal.
5. Whatever looks wrong is looked at again as it is now: a gc or a writer may have changed it since the snapshot.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from pyroaring import BitMap

from pinfold.core.cid import CID
from pinfold.core.errors import StoreFull
from pinfold.core.pin import PinMode
from pinfold.node.journal_check import check_journal
from pinfold.node.model import Problem, ProblemKind, Progress, VerifyReport
from pinfold.node.segment_check import check_segments, check_totals
from pinfold.node.snapshot import Snapshot, take_snapshot
from pinfold.node.soundness import check_dag
from pinfold.store import Store
from pinfold.store.rows import PinRow, packed_ids_of_row, union_of_packed
from pinfold.store.verify import check_table

_MAX_PINS: Final = 5  # named for each bad block


def verify(store: Store, progress: Callable[[Progress], None] | None = None) -> VerifyReport:
    """Hash every block and check pins, segments, catalogue and journal, beside readers, writers and a gc."""
    return check(store, progress, hashing=True)


def check(store: Store, progress: Callable[[Progress], None] | None = None, *, hashing: bool = True) -> VerifyReport:
    """The same; without ``hashing`` damage inside blocks stays unseen, and everything else is told at once."""
    store.settle_tails()
    with suppress(StoreFull):  # then they are reported as they are
        store.settle_pins()
    snapshot = take_snapshot(store)
    try:
        problems = _corrupt(store, snapshot, progress) if hashing else []
        problems += _missing(store, snapshot)
        problems += check_segments(store, snapshot)
        problems += check_totals(snapshot)
        problems += check_journal(store, snapshot)
    finally:
        snapshot.close()
    return VerifyReport(len(snapshot.table.multihashes), snapshot.total_bytes, len(snapshot.pins), tuple(problems))


def _report(snapshot: Snapshot, progress: Callable[[Progress], None] | None) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    ends = snapshot.table.rows["length"].cumsum(dtype="u8")
    return lambda done, total: progress(Progress(int(ends[done - 1]), snapshot.total_bytes, done, total))


def _corrupt(store: Store, snapshot: Snapshot, progress: Callable[[Progress], None] | None) -> list[Problem]:
    """Each bad block with some of the pins that need it."""
    bad = check_table(store.layout, store.catalogue, snapshot.table, progress=_report(snapshot, progress))
    if not bad:
        return []
    wanted = BitMap([block.id for block in bad])
    needed_by: dict[int, list[CID]] = {block_id: [] for block_id in wanted}
    for cid, row in snapshot.pin_rows():
        for block_id in row.ids & wanted:
            if len(needed_by[block_id]) < _MAX_PINS:
                needed_by[block_id].append(cid)
    return [
        Problem(ProblemKind.CORRUPT_BLOCK, block.message, CID.from_bytes(block.cid), tuple(needed_by[block.id]))
        for block in bad
    ]


def pins_in_doubt(snapshot: Snapshot) -> list[tuple[CID, PinRow]]:
    """Pins that are marked incomplete, or keep a block that is not catalogued."""
    packed = [packed_ids_of_row(data) for _, data in snapshot.pins]
    lost = union_of_packed(packed) - snapshot.ids
    if not lost and snapshot.all_complete:
        return []
    return [(cid, row) for cid, row in snapshot.pin_rows() if not row.complete or not lost.isdisjoint(row.ids)]


def _missing(store: Store, snapshot: Snapshot) -> list[Problem]:
    """Each missing block with some of the pins that reach it."""
    needed_by: dict[bytes, list[CID]] = {}
    problems: list[Problem] = []
    for cid, row in pins_in_doubt(snapshot):
        found = check_dag(store, cid, recursive=row.mode is PinMode.RECURSIVE, hashing=False)
        for lost in found.missing:
            needed_by.setdefault(lost, []).append(cid)
        if found.missing or found.bad:
            continue
        with store.catalogue.read() as txn:
            now = store.pins.row(txn, cid)
        if now is not None and now == row:  # else somebody has mended or removed it since
            message = f"the pin of {cid} is not marked as complete, though all its blocks are here; repair settles it"
            problems.append(Problem(ProblemKind.BAD_CATALOGUE, message, cid, (cid,)))
    return problems + [
        Problem(
            ProblemKind.MISSING_BLOCK,
            f"block {CID.from_bytes(lost)} is missing, and needed by the pin of {pins[0]}",
            CID.from_bytes(lost),
            tuple(pins[:_MAX_PINS]),
        )
        for lost, pins in needed_by.items()
    ]
