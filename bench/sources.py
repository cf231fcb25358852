"""Content for the jobs: the same bytes at every run, quick to make, never the same block twice.

The CARs are what ``pinfold add --chunker size-N`` would make of a file and an export of it would give (root first,
depth first), but written straight from the hashes: half a million blocks in a few seconds.
"""

from __future__ import annotations

import random
from base64 import b32encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import zip_longest
from pathlib import Path

MAX_LINKS = 1024  # of unixfs-v1-2025
RAW_SHA256 = b"\x01\x55\x12\x20"  # CIDv1, raw, sha2-256, 32 bytes
DAG_PB_SHA256 = b"\x01\x70\x12\x20"
BUFFER_BYTES = 1 << 20
POOL_BYTES = 4 << 20


class Chunks:
    """``count`` different chunks of ``size`` bytes, any of them at any time."""

    def __init__(self, seed: int, count: int, size: int) -> None:
        self.count = count
        self.size = size
        self._seed = seed.to_bytes(8, "big")
        self._pool = random.Random(seed).randbytes(POOL_BYTES + size)

    def __getitem__(self, index: int) -> bytes:
        start = index * 7919 % POOL_BYTES  # a prime stride: neighbours share nothing that a file system could fold
        return (self._seed + index.to_bytes(8, "big") + self._pool[start : start + self.size])[: self.size]


def varint(value: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class FileDag:
    """A balanced UnixFS file over raw leaves: every node's bytes, and the order an export gives them in."""

    def __init__(self, chunks: Chunks) -> None:
        self.chunks = chunks
        self.leaves = [sha256(chunks[index]).digest() for index in range(chunks.count)]
        # levels[0] stands on the leaves; each entry is (digest, node bytes, file bytes, dag bytes)
        self.levels: list[list[tuple[bytes, bytes, int, int]]] = []
        below = [(RAW_SHA256 + leaf, chunks.size, chunks.size) for leaf in self.leaves]
        while len(below) > 1 or not self.levels:
            nodes = [self._node(below[i : i + MAX_LINKS]) for i in range(0, len(below), MAX_LINKS)]
            self.levels.append(nodes)
            below = [(DAG_PB_SHA256 + digest, size, tsize) for digest, _, size, tsize in nodes]
        self.root = below[0][0]

    @staticmethod
    def _node(children: Sequence[tuple[bytes, int, int]]) -> tuple[bytes, bytes, int, int]:
        links = bytearray()
        blocksizes = bytearray()
        for cid, size, tsize in children:
            link = b"\x0a" + varint(len(cid)) + cid + b"\x12\x00\x18" + varint(tsize)
            links += b"\x12" + varint(len(link)) + link
            blocksizes += b"\x20" + varint(size)
        size = sum(child[1] for child in children)
        data = b"\x08\x02\x18" + varint(size) + blocksizes
        node = bytes(links) + b"\x0a" + varint(len(data)) + data
        return sha256(node).digest(), node, size, sum(child[2] for child in children) + len(node)

    def blocks(self) -> Iterator[tuple[bytes, bytes]]:
        """Binary CID and bytes of every block, root first, depth first."""
        yield from self._below(len(self.levels) - 1, 0)

    def _below(self, level: int, index: int) -> Iterator[tuple[bytes, bytes]]:
        if level < 0:
            yield RAW_SHA256 + self.leaves[index], self.chunks[index]
            return
        digest, node, _, _ = self.levels[level][index]
        yield DAG_PB_SHA256 + digest, node
        beneath = len(self.leaves) if level == 0 else len(self.levels[level - 1])
        for child in range(index * MAX_LINKS, min((index + 1) * MAX_LINKS, beneath)):
            yield from self._below(level - 1, child)


def cbor_head(major: int, value: int) -> bytes:
    """The first bytes of a CBOR item."""
    if value < 24:
        return bytes([major << 5 | value])
    width = 0 if value < 1 << 8 else 1 if value < 1 << 16 else 2
    return bytes([major << 5 | 24 + width]) + value.to_bytes(1 << width, "big")


def car_header(roots: Sequence[bytes]) -> bytes:
    """The header of a CARv1 with its length before it."""
    links = b"".join(b"\xd8\x2a" + cbor_head(2, len(root) + 1) + b"\0" + root for root in roots)
    header = b"\xa2\x65roots" + cbor_head(4, len(roots)) + links + b"\x67version\x01"
    return varint(len(header)) + header


def write_car(path: Path, roots: Sequence[bytes], blocks: Iterator[tuple[bytes, bytes]]) -> None:
    """Write a CARv1."""
    with path.open("wb", buffering=BUFFER_BYTES) as out:
        out.write(car_header(roots))
        for cid, data in blocks:
            out.write(varint(len(cid) + len(data)) + cid)
            out.write(data)


def cid_text(cid: bytes) -> str:
    """A CIDv1 as people write it."""
    return "b" + b32encode(cid).decode().lower().rstrip("=")


def make_file(path: Path, seed: int, size: int) -> None:
    """One file of ``size`` bytes."""
    chunk_size = min(BUFFER_BYTES, max(size, 1))
    chunks = Chunks(seed, -(-size // chunk_size), chunk_size)
    with path.open("wb") as out:
        for index in range(chunks.count):
            out.write(chunks[index])
        out.truncate(size)


def make_folder(path: Path, seed: int, files: int, size: int, per_folder: int) -> None:
    """``files`` files of ``size`` bytes in folders of ``per_folder``."""
    chunks = Chunks(seed, files, size)
    for index in range(files):
        folder = path / f"{index // per_folder:04d}"
        if index % per_folder == 0:
            folder.mkdir(parents=True)
        (folder / f"{index % per_folder:04d}.bin").write_bytes(chunks[index])


def make_file_car(folder: Path, seed: int, count: int, size: int) -> None:
    """``folder/1.car`` with one file of ``count`` chunks, and its root's CID in ``folder/roots``."""
    dag = FileDag(Chunks(seed, count, size))
    folder.mkdir()
    write_car(folder / "1.car", [dag.root], dag.blocks())
    (folder / "roots").write_text(cid_text(dag.root) + "\n")


def make_two_cars(folder: Path, seed: int, count: int, size: int) -> None:
    """``1.car`` and ``2.car`` with one file each: garbage that lies together once one root is unpinned."""
    folder.mkdir()
    roots = []
    for number in (1, 2):
        dag = FileDag(Chunks(seed + number, count, size))
        write_car(folder / f"{number}.car", [dag.root], dag.blocks())
        roots.append(cid_text(dag.root))
    (folder / "roots").write_text("\n".join(roots) + "\n")


def make_mixed_car(folder: Path, seed: int, count: int, size: int) -> None:
    """``1.car`` with two files whose blocks alternate: garbage mixed block by block once one root is unpinned."""
    folder.mkdir()
    first, second = (FileDag(Chunks(seed + number, count, size)) for number in (1, 2))
    alternating = (
        block for pair in zip_longest(first.blocks(), second.blocks()) for block in pair if block is not None
    )
    write_car(folder / "1.car", [first.root, second.root], alternating)
    (folder / "roots").write_text(f"{cid_text(first.root)}\n{cid_text(second.root)}\n")


ROOTS_PER_CAR = 20_000  # a CAR's header may have 1 MiB; a root takes 41 bytes of it


def make_root_cars(folder: Path, seed: int, count: int) -> None:
    """CARs of small raw blocks, each block a root of its CAR, ``count`` in all; CIDs in ``folder/roots``."""
    folder.mkdir()
    chunks = Chunks(seed, count, 64)
    with (folder / "roots").open("w") as listed:
        for number, start in enumerate(range(0, count, ROOTS_PER_CAR), 1):
            part = [chunks[index] for index in range(start, min(start + ROOTS_PER_CAR, count))]
            cids = [RAW_SHA256 + sha256(data).digest() for data in part]
            write_car(folder / f"{number:03d}.car", cids, iter(zip(cids, part, strict=True)))
            listed.writelines(cid_text(cid) + "\n" for cid in cids)
