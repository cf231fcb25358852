"""A real process that works on a data folder until it is killed, and says on a pipe what it was told is done.

Each line that it says is one operation that was acknowledged: ``pin CID SEED SIZE`` (the content is ``content(SEED,
SIZE)``), ``import CID SEED BLOCKS`` (``car_of(SEED, BLOCKS)``), ``unpin CID`` or ``gc``; ``!unpin CID`` announces one.
"""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from pinfold import Node
from pinfold.core import car, varint
from pinfold.core.cid import CID, DAG_PB
from pinfold.core.codec import dag_pb
from pinfold.core.errors import PinNotFound
from pinfold.node.model import AddOptions
from pinfold.store import allocate, pace, writer
from pinfold.unixfs.profile import profile

CHUNKED = AddOptions(profile=profile("unixfs-v1-2025", chunker="size-4096"))
"""Small files have several blocks."""


def content(seed: int, size: int) -> bytes:
    """The same bytes for the same seed; sizes share no blocks."""
    return random.Random(seed * 1_000_003 + size).randbytes(size)


def car_of(seed: int, blocks: int, size: int = 512) -> tuple[CID, bytes]:
    """A CAR of one node with many raw leaves, and its root."""
    leaves = [content(seed + number, size) for number in range(blocks)]
    links = [dag_pb.PBLink(CID.of(leaf).bytes, b"%06d" % number, size) for number, leaf in enumerate(leaves)]
    node = dag_pb.encode(dag_pb.PBNode(links, b"\x08\x01"))
    root = CID.of(node, codec=DAG_PB)
    parts = [car.encode_header([root.bytes])]
    for data, cid in [*((leaf, CID.of(leaf)) for leaf in leaves), (node, root)]:
        parts.append(varint.encode(len(cid.bytes) + len(data)) + cid.bytes + data)
    return root, b"".join(parts)


class Worker:
    """Does one kind of work, again and again."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.node = Node(folder)
        self.random = random.Random(seed)
        self.seed = seed * 1_000_000
        self.mine: list[CID] = []

    def say(self, *words: object) -> None:
        os.write(1, (" ".join(map(str, words)) + "\n").encode())

    def add(self) -> None:
        """Add one file of a few blocks."""
        self.seed += 1
        size = self.random.choice((50, 3000, 20_000, 200_000))
        cid = self.node.add_bytes(content(self.seed, size), CHUNKED)
        self.mine.append(cid)
        self.say("pin", cid, self.seed, size)

    def import_car(self) -> None:
        """Import a CAR of many small blocks."""
        self.seed += 10_000
        blocks = self.random.choice((3, 200, 3000))
        root, data = car_of(self.seed, blocks)
        self.node.dag_import(io.BytesIO(data))
        self.mine.append(root)
        self.say("import", root, self.seed, blocks)

    def unpin(self) -> None:
        """Remove one of the pins of this process."""
        if self.mine:
            cid = self.mine.pop(self.random.randrange(len(self.mine)))
            self.say("!unpin", cid)
            try:
                self.node.pin_rm(cid)
            except PinNotFound:
                return
            self.say("unpin", cid)

    def gc(self) -> None:
        """Collect."""
        self.node.gc()
        self.say("gc")

    def collect(self) -> None:
        """Make garbage and collect it, over and over."""
        self.add()
        self.import_car()
        self.unpin()
        self.gc()

    def turn_over(self) -> None:
        """Pin and unpin."""
        self.add()
        self.unpin()

    def any(self) -> None:
        """One of all of these."""
        work: tuple[Callable[[], None], ...] = (self.add, self.add, self.import_car, self.unpin, self.gc)
        self.random.choice(work)()


class Nursery:
    """A process that has everything loaded and forks a worker for each life: a start costs milliseconds.

    What the running worker says comes line by line; ``kill`` ends it and gives the rest.
    """

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.support.store_worker"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        self._pid = 0

    def start(self, folder: Path, seed: int, task: str) -> None:
        """Begin a life; back when its node is open."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{folder}\t{seed}\t{task}\n".encode())
        self._process.stdin.flush()
        self._pid = int(self._line().removeprefix("pid "))
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        assert line.endswith("\n"), "the worker's parent has ended"
        return line.rstrip("\n")

    def kill(self) -> list[str]:
        """Kill the worker; everything that it said."""
        os.kill(self._pid, signal.SIGKILL)
        said = []
        while (line := self._line()) != f"dead {self._pid} {-signal.SIGKILL}":
            assert not line.startswith("dead"), f"the worker ended by itself: {line}"
            said.append(line)
        return said

    def close(self) -> None:
        """End the parent."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def _work(folder: str, seed: str, task: str) -> None:
    for module, name in (
        (writer, "BATCH_ROWS"),
        (allocate, "BATCH_ROWS"),
        (pace, "_FIRST_ROWS"),
        (pace, "_MOST_ROWS"),
    ):
        setattr(module, name, 500)  # so that kills fall between transactions of one commit, too
    worker = Worker(Path(folder), int(seed))
    worker.say("ready")
    while True:
        getattr(worker, task)()


def main() -> None:
    """Fork a worker for each line on standard input, one at a time."""
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                os.write(1, f"pid {os.getpid()}\n".encode())
                _work(*line.rstrip("\n").split("\t"))
            finally:
                traceback.print_exc()
                os._exit(1)
        _, status = os.waitpid(pid, 0)
        os.write(1, f"dead {pid} {os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    main()
