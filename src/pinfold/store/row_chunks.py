"""The catalogue's blocks in large pieces, as columns: what gc and compaction look at a million rows with."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from pyroaring import BitMap

from pinfold.store.catalogue import Catalogue
from pinfold.store.commit import GC_GENERATION

Column: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
Ids: TypeAlias = "np.ndarray[Any, np.dtype[np.uint32]]"
CHUNK_ROWS: Final = 65_536


class RowChunk(NamedTuple):
    """Rows in the order of their multihashes; ``table`` has one line each: id, segment, offset, length, tag."""

    generation: int
    """The catalogue's generation at that moment: while it stays, every row still says this."""
    multihashes: list[bytes]
    table: np.ndarray[Any, np.dtype[np.uint32]]

    def sizes(self) -> Column:
        """Bytes of each whole record."""
        return self.prefixes() + self.table[:, 3]

    def prefixes(self) -> Column:
        """Bytes of each record before its payload; see ``rows.prefix_length``."""
        hashes = np.fromiter(map(len, self.multihashes), dtype=np.int64, count=len(self.multihashes))
        return prefix_lengths(hashes, self.table[:, 4], self.table[:, 3])


def prefix_lengths(hash_lengths: Column, tags: Ids, lengths: Ids) -> Column:
    """``rows.prefix_length`` for many rows at once."""
    codecs = tags.astype(np.int64)
    codec_bytes = np.where(codecs < 0x80, 1, np.where(codecs < 0x4000, 2, 3))
    cids: Column = np.where(codecs >> 31 == 1, hash_lengths, 1 + codec_bytes + hash_lengths)
    whole = cids + lengths
    return cids + 1 + (whole >= 0x80) + (whole >= 0x4000) + (whole >= 0x200000)


def row_chunks(catalogue: Catalogue) -> Iterator[RowChunk]:
    """Every block's row, a snapshot for each chunk: none is held while the caller works."""
    last = b""
    while True:
        with catalogue.read() as txn:
            cursor = txn.cursor(catalogue.blocks)
            found = cursor.set_range(last + b"\0") if last else cursor.first()
            rows = list(islice(cursor.iternext(), CHUNK_ROWS)) if found else []
            generation = catalogue.number(txn, GC_GENERATION)
        if not rows:
            return
        multihashes, values = zip(*rows, strict=True)
        last = multihashes[-1]
        yield RowChunk(generation, list(multihashes), np.frombuffer(b"".join(values), dtype="<u4").reshape(-1, 5))


class IdSet:
    """A set of ids that a whole column can be looked up in."""

    def __init__(self, ids: BitMap) -> None:
        self._sorted = np.frombuffer(ids.to_array(), dtype=np.uint32)

    def has(self, column: np.ndarray[Any, np.dtype[np.uint32]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """For each id of a column, whether it is in the set."""
        if not len(self._sorted):
            return np.zeros(len(column), dtype=np.bool_)
        at = np.searchsorted(self._sorted, column)
        at[at == len(self._sorted)] = 0
        found: np.ndarray[Any, np.dtype[np.bool_]] = self._sorted[at] == column
        return found
