"""Push: send only what the server lacks.

1. The DAG is built here, from files that stay where they are.
2. From the root down the server is asked which blocks it lacks.  What is below a block that it has is never asked for.
3. One CAR with those blocks, root first, makes the file there.  Each leaf is read again and must still be the same.
4. What disappeared there meanwhile (somebody deleted a file) makes the server refuse: it is asked once more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from pinfold.client.server import Query, Server
from pinfold.client.tree import Report, Total, Tree
from pinfold.core.binary_cid import codec_of
from pinfold.core.car import encode_header, record_prefix
from pinfold.core.cid import CID, RAW
from pinfold.core.errors import InvalidInput, NotFound
from pinfold.node.model import Progress

MOST_ASKED: Final = 10_000  # what the server takes in one question
_TRIES: Final = 2
_SEND_BYTES: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push sent, and what it became there."""

    cid: CID
    sent: Total
    whole: Total
    record: dict[str, Any]
    """The file, as the server tells it."""


def push(server: Server, tree: Tree, *, query: Query | None = None, progress: Report | None = None) -> Pushed:
    """Bring a tree to the server and make a file of it; ``query`` has name, tags and the like.

    Raises:  what the server refuses, FetchFailed; SourceChanged, where a file is not any more what was hashed.
    """
    for tries_left in reversed(range(_TRIES)):
        tree.want_nothing()
        find_missing(tree, lambda cids: server.missing(cids, root=str(tree.cid)))
        wanted = tree.wanted_total()
        try:
            records = server.upload_car(_car(tree, wanted, progress), _car_bytes(tree), query or {})
        except (InvalidInput, NotFound):
            if tries_left:
                continue
            raise
        return Pushed(tree.cid, wanted, tree.total(), records[0])
    raise AssertionError("unreachable")


def find_missing(tree: Tree, ask: Callable[[list[str]], list[str]]) -> None:
    """Want every block of the tree that ``ask`` says is missing, from the root down.

    Shape:   at most ``MOST_ASKED`` CIDs at a time; the links of one node, and the nodes still to look into, are held.
    """
    lacking: deque[bytes] = deque()  # nodes that are missing, whose links are still to be asked for

    def links() -> Iterator[bytes]:
        while lacking:
            yield from tree.links(lacking.popleft())

    following = links()
    batch = [tree.root]
    while batch:
        names = {str(CID.from_bytes(cid)): cid for cid in batch}
        for name in ask(list(names)):
            cid = names.get(name)
            if cid is not None and tree.want(cid) and codec_of(cid) != RAW:
                lacking.append(cid)
        batch = list(islice(following, MOST_ASKED))
        if not batch:  # the generator had ended before these nodes came
            following = links()
            batch = list(islice(following, MOST_ASKED))


def _car_bytes(tree: Tree) -> int:
    size = len(encode_header([tree.root]))
    return size + sum(len(record_prefix(cid, block_size)) + block_size for cid, block_size in tree.wanted())


def _car(tree: Tree, wanted: Total, progress: Report | None) -> Iterator[bytes]:
    pending = bytearray(encode_header([tree.root]))
    done_bytes = 0
    for done_blocks, (cid, size) in enumerate(tree.wanted(), 1):
        pending += record_prefix(cid, size)
        pending += tree.block(cid)
        done_bytes += size
        if len(pending) >= _SEND_BYTES:
            yield bytes(pending)
            pending.clear()
        if progress is not None:
            progress(Progress(done_bytes, wanted.bytes, done_blocks, wanted.blocks))
    yield bytes(pending)
