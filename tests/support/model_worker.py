"""One of several processes that work on one data folder at random, each with a dict that says what must be true.

Run as ``python -m tests.support.model_worker FOLDER SEED OPERATIONS``.  At the end it prints the pins that are its
own, one a line: the CID and the numbers of the chunks that the file has.
"""

from __future__ import annotations

import io
import random
import sys
from contextlib import suppress
from pathlib import Path

from pinfold import Node
from pinfold.core import car, varint
from pinfold.core.cid import CID, DAG_PB
from pinfold.core.codec import dag_pb
from pinfold.core.errors import BlockNotFound, BlockPinned
from pinfold.core.multihash import SHA2_256
from pinfold.node.model import AddOptions
from pinfold.store import compact, gc, writer
from pinfold.unixfs.profile import profile

CHUNK = 1024
SHARED = 24  # chunks that files of every process are made of
OPTIONS = AddOptions(profile=profile("unixfs-v1-2025", chunker=f"size-{CHUNK}"))


def chunk(number: int) -> bytes:
    """The same bytes for the same number."""
    return random.Random(number).randbytes(CHUNK)


def file_of(chunks: list[int]) -> bytes:
    """The content of a file of these chunks."""
    return b"".join(map(chunk, chunks))


def car_of(chunks: list[int]) -> tuple[CID, bytes]:
    """A CAR of a node that links to these chunks by name, and its root."""
    blocks = [(CID.of(chunk(number)), chunk(number)) for number in chunks]
    links = [dag_pb.PBLink(cid.bytes, b"%03d" % at, CHUNK) for at, (cid, _) in enumerate(blocks)]
    node = dag_pb.encode(dag_pb.PBNode(links, b"\x08\x01"))
    root = CID.of(node, codec=DAG_PB, hash_code=SHA2_256)
    records = [varint.encode(len(cid.bytes) + len(data)) + cid.bytes + data for cid, data in [*blocks, (root, node)]]
    return root, car.encode_header([root.bytes]) + b"".join(records)


class Model:
    """What this process did, and what must be true because of it."""

    def __init__(self, node: Node, seed: int) -> None:
        self.node = node
        self.random = random.Random(seed)
        self.seed = seed
        self.number = seed * 1_000_000
        self.pinned: dict[CID, list[int]] = {}
        self.let_go: dict[CID, list[int]] = {}

    def _chunks(self) -> list[int]:
        """Some that everybody uses, and one at least that is this file's own."""
        self.number += 1
        shared = self.random.sample(range(SHARED), self.random.randint(0, 6))
        return [*shared, self.number]

    def add(self) -> None:
        chunks = self._chunks()
        self.pinned[self.node.add_bytes(file_of(chunks), OPTIONS)] = chunks

    def take(self) -> None:
        chunks = self._chunks()
        root, data = car_of(chunks)
        self.node.dag_import(io.BytesIO(data))
        self.pinned[root] = chunks

    def put(self) -> None:
        """A block without a pin: any gc may take it."""
        self.node.block_put(chunk(self.random.randrange(SHARED)))

    def unpin(self) -> None:
        if self.pinned:
            cid = self.random.choice(list(self.pinned))
            self.node.pin_rm(cid)
            self.let_go[cid] = self.pinned.pop(cid)

    def pin(self) -> None:
        """Take back what was let go of: all of it, unless a gc was faster."""
        if self.let_go:
            cid = self.random.choice(list(self.let_go))
            chunks = self.let_go.pop(cid)
            with suppress(BlockNotFound):
                self.node.pin_add(cid, name=f"by {self.seed}")
                self.pinned[cid] = chunks

    def update(self) -> None:
        if self.pinned and self.let_go:
            old, new = self.random.choice(list(self.pinned)), self.random.choice(list(self.let_go))
            with suppress(BlockNotFound):
                self.node.pin_update(old, new)
                self.let_go[old], self.pinned[new] = self.pinned.pop(old), self.let_go.pop(new)

    def remove(self) -> None:
        cid = CID.of(chunk(self.random.randrange(SHARED)))
        with suppress(BlockPinned, BlockNotFound):
            list(self.node.block_rm([cid]))

    def collect(self) -> None:
        self.node.gc()

    def read(self) -> None:
        """What is pinned can be read, whatever the others do."""
        if self.pinned:
            cid = self.random.choice(list(self.pinned))
            self.require(self.node, cid, self.pinned[cid])

    @staticmethod
    def require(node: Node, cid: CID, chunks: list[int]) -> None:
        """A pin and all that it keeps are here."""
        assert next(node.pin_ls(cids=[cid])).cid == cid
        for number in chunks:
            assert node.block_get(CID.of(chunk(number))) == chunk(number)
        assert node.block_get(cid)

    def step(self) -> None:
        """One operation."""
        work = (self.add, self.add, self.take, self.put, self.unpin, self.pin, self.update, self.remove, self.read)
        if self.random.random() < 0.06:
            self.collect()
        else:
            self.random.choice(work)()


def main() -> None:
    """Do as many operations as asked for, then say what is pinned."""
    for module, name in ((writer, "BATCH_ROWS"), (compact, "BATCH_ROWS"), (gc, "_SWEEP_ROWS")):
        setattr(module, name, 3)
    folder, seed, operations = sys.argv[1:]
    with Node(Path(folder)) as node:
        model = Model(node, int(seed))
        for _ in range(int(operations)):
            model.step()
        for cid, chunks in model.pinned.items():
            print(cid, *chunks)


if __name__ == "__main__":
    main()
