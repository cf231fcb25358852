"""Blocks: bytes become one only by matching their CID."""

from __future__ import annotations

import pytest

from pinfold.core.block import MAX_BLOCK_BYTES, Block
from pinfold.core.cid import CID
from pinfold.core.errors import BlockCorrupt, BlockTooLarge, InsecureHash


def test_bytes_that_match_are_a_block() -> None:
    cid = CID.of(b"data")
    assert Block.verified(cid, b"data") == Block(cid, b"data")


def test_bytes_that_do_not_match_are_corrupt() -> None:
    with pytest.raises(BlockCorrupt, match=str(CID.of(b"data"))):
        Block.verified(CID.of(b"data"), b"date")


def test_a_block_has_at_most_two_mebibytes() -> None:
    data = bytes(MAX_BLOCK_BYTES)
    assert Block.verified(CID.of(data), data).data == data
    with pytest.raises(BlockTooLarge):
        Block.verified(CID.of(data + b"x"), data + b"x")


def test_an_insecure_hash_makes_no_block() -> None:
    with pytest.raises(InsecureHash):
        Block.verified(CID.read("f01551820" + "11" * 32), b"data")
