"""The bytes of a file, and what is said where they cannot be had."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pinfold.core import varint
from pinfold.core.cid import CID
from pinfold.core.errors import StoreCorrupt
from pinfold.node.cat import cat, cat_to
from pinfold.node.export import export
from pinfold.store import Store
from pinfold.store.writer import NewBlock


def to_nowhere(act: Callable[[int], object]) -> None:
    with open(os.devnull, "wb") as nowhere:
        act(nowhere.fileno())


@pytest.mark.parametrize(
    "read",
    [
        lambda store, cid: list(cat(store, cid.bytes, 0, None)),
        lambda store, cid: to_nowhere(lambda fd: cat_to(store, cid.bytes, fd, 0, None)),
        lambda store, cid: to_nowhere(lambda fd: export(store, cid, fd)),
    ],
    ids=["cat", "cat_to", "export"],
)
def test_a_segment_that_is_gone_is_said_as_corruption(store: Store, read: Callable[[Store, CID], object]) -> None:
    content = b"content " * 10_000
    cid = CID.of(content)
    with store.writer() as writer:
        prefix = varint.encode(len(cid.bytes) + len(content)) + cid.bytes
        writer.put([NewBlock(cid.multihash, cid.codec, prefix, content)])
        writer.commit()
    for number in store.layout.segment_numbers():
        Path(store.layout.segment(number)).unlink()
    with pytest.raises(StoreCorrupt, match="missing"):
        read(store, cid)
