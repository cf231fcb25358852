"""What a person wants to know of a CAR: what is in it (``inspect``), and what is wrong with it (``verify``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from pinfold.core import multihash, varint
from pinfold.core.binary_cid import codec_of, identity_data, multihash_of
from pinfold.core.car.read import CarReader, verify_record
from pinfold.core.cid import CID, codec_name
from pinfold.core.errors import BlockCorrupt, BlockTooLarge, InvalidCID, MalformedCar, UnknownHash


@dataclass(frozen=True, slots=True)
class CarSummary:
    """One CAR in numbers.

    Units:   bytes of blocks without their CIDs; ``data_offset`` and ``data_size_bytes`` are of the CARv1, the whole
             stream or the part of a CARv2. ``characteristics`` is None for a CARv1.
    """

    version: int
    characteristics: tuple[int, int] | None
    roots: tuple[CID, ...]
    missing_roots: tuple[CID, ...]
    blocks: int
    block_bytes: int
    min_block_bytes: int
    max_block_bytes: int
    codecs: dict[str, int]
    hashes: dict[str, int]
    data_offset: int
    data_size_bytes: int
    index_offset: int

    @property
    def average_block_bytes(self) -> float:
        """The mean size of a block; 0 where there is none."""
        return self.block_bytes / self.blocks if self.blocks else 0.0

    @property
    def has_roots(self) -> bool:
        """Whether every root is among the blocks (an identity root carries itself)."""
        return not self.missing_roots

    @property
    def has_index(self) -> bool:
        """Whether a CARv2 says that an index follows."""
        return self.index_offset != 0


class CarProblem(NamedTuple):
    """One thing that is wrong; ``cid`` is None where the record could not be read."""

    offset: int
    cid: bytes | None
    message: str


def inspect(stream: BinaryIO) -> CarSummary:
    """What is in a CAR; it is read to its end, and no block is hashed.  Raises: MalformedCar, BlockTooLarge."""
    reader = CarReader(stream)
    roots = reader.header.roots
    missing = {root for root in roots if identity_data(root) is None}
    codecs: Counter[int] = Counter()
    hashes: Counter[int] = Counter()
    sizes: Counter[int] = Counter()
    for record in reader:
        missing.discard(record.cid)
        codecs[codec_of(record.cid)] += 1
        hashes[varint.decode(multihash_of(record.cid))[0]] += 1
        sizes[len(record.data)] += 1
    v2 = reader.v2
    return CarSummary(
        version=reader.header.version,
        characteristics=v2.characteristics if v2 else None,
        roots=tuple(map(CID.from_bytes, roots)),
        missing_roots=tuple(CID.from_bytes(root) for root in roots if root in missing),
        blocks=sizes.total(),
        block_bytes=sum(size * count for size, count in sizes.items()),
        min_block_bytes=min(sizes, default=0),
        max_block_bytes=max(sizes, default=0),
        codecs={codec_name(code): count for code, count in codecs.most_common()},
        hashes={multihash.name_of(code): count for code, count in hashes.most_common()},
        data_offset=v2.data_offset if v2 else 0,
        data_size_bytes=v2.data_size if v2 else reader.offset,
        index_offset=v2.index_offset if v2 else 0,
    )


def verify(stream: BinaryIO) -> Iterator[CarProblem]:
    """Yield what is wrong with a CAR: every block that is corrupt or cannot be trusted, up to where it cannot be read.

    The last problem is the structural one, if there is one; nothing yielded means that every block is right.
    """
    try:
        reader = CarReader(stream)
    except MalformedCar as exc:
        yield CarProblem(0, None, str(exc))
        return
    records = iter(reader)
    while True:
        try:
            record = next(records, None)
        except (MalformedCar, BlockTooLarge) as exc:
            yield CarProblem(reader.offset, None, str(exc))
            return
        if record is None:
            return
        try:
            verify_record(record)
        except (BlockCorrupt, InvalidCID, UnknownHash) as exc:
            yield CarProblem(record.offset, record.cid, str(exc))
