"""The whole catalogue at one moment, with the journal as it was then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from typing import BinaryIO

import numpy as np
from pyroaring import BitMap

from pinfold.core.cid import CID
from pinfold.store import Store
from pinfold.store.commit import BLOCK_BYTES
from pinfold.store.pins import JOURNAL_END
from pinfold.store.rows import PinRow, SegmentRow
from pinfold.store.verify import BlockTable, read_table


class Snapshot:
    """Rows as they were at one moment; ``close`` it."""

    def __init__(
        self,
        table: BlockTable,
        pins: list[tuple[bytes, bytes]],
        segments: dict[int, SegmentRow],
        block_bytes: int,
        journal: BinaryIO | None,
        journal_end: int,
    ) -> None:
        self.table = table
        self.pins = pins
        """Keys and packed rows."""
        self.segments = segments
        self.block_bytes = block_bytes
        """What the catalogue counts; ``total_bytes`` is what its rows add up to."""
        self.journal = journal
        self.journal_end = journal_end
        """The bytes of the journal that the catalogue has applied."""

    def close(self) -> None:
        """Let go of the journal; safe to call twice."""
        if self.journal is not None:
            self.journal.close()

    @cached_property
    def ids(self) -> BitMap:
        """Ids of all blocks."""
        return BitMap(np.sort(self.table.rows["id"]))

    @cached_property
    def total_bytes(self) -> int:
        """Payload bytes of all blocks."""
        return int(self.table.rows["length"].sum(dtype=np.uint64))

    @cached_property
    def all_complete(self) -> bool:
        """Whether no pin is marked as lacking blocks."""
        return all(PinRow.unpack(data).complete for _, data in self.pins)

    def pin_rows(self) -> Iterator[tuple[CID, PinRow]]:
        """Roots as they were pinned, with their rows."""
        for key, data in self.pins:
            row = PinRow.unpack(data)
            cid = CID.from_bytes(key)
            yield (cid if row.version else cid.to_v0()), row


def take_snapshot(store: Store) -> Snapshot:
    """The catalogue now; nobody waits for it longer than it takes to open a file.

    The journal only grows until somebody puts a new one in its place, and both happen under the write lock: so what
    is open then, up to the length that the catalogue says, stays what it is.
    """
    catalogue = store.catalogue
    with ExitStack() as held:
        with catalogue.write() as lock:
            end = catalogue.number(lock, JOURNAL_END)
            try:
                journal: BinaryIO | None = open(store.layout.journal, "rb")
            except FileNotFoundError:
                journal = None
            txn = held.enter_context(catalogue.read())
        return Snapshot(
            read_table(catalogue, txn),
            list(txn.cursor(catalogue.pins)),
            catalogue.all_segments(txn),
            catalogue.number(txn, BLOCK_BYTES),
            journal,
            end,
        )
