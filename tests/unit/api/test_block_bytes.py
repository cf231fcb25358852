"""Quotas and usage count the bytes of blocks, whatever the content says of itself and by whichever way it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from pinfold.core.cid import CID, DAG_CBOR, DAG_JSON, DAG_PB
from pinfold.core.codec import dag_cbor, dag_json, dag_pb
from pinfold.core.codec.dag_pb import PBLink, PBNode
from tests.support.cars import RawBlock, car_v1, raw_blocks
from tests.support.platform import Platform, platform, run
from tests.unit.api.test_files import CAR, FILES, limit_quota, nothing_is_pinned, totals

LEAVES = raw_blocks(30, 10_000)
LEAF_BYTES = sum(len(one.data) for one in LEAVES)


def unixfs_file(claimed: int) -> RawBlock:
    """A file of all leaves whose node claims that each has ``claimed`` bytes."""
    varint = claimed.to_bytes(1, "big") if claimed < 0x80 else _varint(claimed)
    body = b"\x08\x02\x18" + _varint(claimed * len(LEAVES)) + (b"\x20" + varint) * len(LEAVES)
    node = PBNode([PBLink(one.cid, b"", claimed) for one in LEAVES], body)
    return block(dag_pb.encode(node), DAG_PB)


def _varint(number: int) -> bytes:
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def block(data: bytes, codec: int) -> RawBlock:
    return RawBlock(CID.of(data, codec=codec).bytes, data)


LINKS = [CID.from_bytes(one.cid) for one in LEAVES]
ROOTS = {
    "a file that claims less": unixfs_file(1),
    "a file that claims more": unixfs_file(1 << 40),
    "dag-cbor": block(dag_cbor.encode(list(LINKS)), DAG_CBOR),
    "dag-json": block(dag_json.encode(list(LINKS)), DAG_JSON),
}


@asynccontextmanager
async def small(tmp_path: Path, quota_bytes: int) -> AsyncIterator[tuple[Platform, httpx.AsyncClient]]:
    async with platform(tmp_path) as at:
        client = await at.tenant("small")
        limit_quota(at, "small", quota_bytes=quota_bytes)
        yield at, client


@pytest.mark.parametrize("kind", ROOTS)
def test_a_car_counts_its_blocks_whatever_its_root_claims(tmp_path: Path, kind: str) -> None:
    async def go() -> None:
        root = ROOTS[kind]
        car = car_v1([root, *LEAVES])
        async with small(tmp_path, 1 << 30) as (at, client):
            record = (await client.post(CAR, content=car)).json()["data"]
            assert totals(at, "small").logical_bytes == LEAF_BYTES + len(root.data)
            (day,) = (await client.get("/api/v1/usage")).json()["data"]
            assert day["uploaded_bytes"] == LEAF_BYTES + len(root.data)
            await client.delete(f"{FILES}/{record['id']}")
            assert totals(at, "small").logical_bytes == 0

    run(go())


def test_blocks_that_came_before_count_with_a_root_that_needs_little_else(tmp_path: Path) -> None:
    async def go() -> None:
        first, second = ROOTS["dag-cbor"], ROOTS["dag-json"]
        async with small(tmp_path, 2 * LEAF_BYTES) as (at, client):
            assert (await client.post(CAR, content=car_v1([first, *LEAVES]))).status_code == 201
            refused = await client.post(CAR, content=car_v1([second]))
            assert (refused.status_code, refused.json()["code"]) == (403, "QUOTA_EXCEEDED")
            row = totals(at, "small")
            assert (row.files, row.logical_bytes, row.reserved_bytes) == (1, LEAF_BYTES + len(first.data), 0)
            await client.delete(f"{FILES}/{CID.from_bytes(first.cid)}")
            await nothing_is_pinned(tmp_path)

    run(go())


def test_a_file_counts_its_nodes_too_and_each_block_once(tmp_path: Path) -> None:
    async def go() -> None:
        async with small(tmp_path, 1 << 30) as (at, client):
            body = bytes(3 << 20)  # three chunks of zeros are one block
            record = (await client.put(f"{FILES}/zeros", content=body)).json()["data"]
            assert record["size"] == len(body)
            counted = totals(at, "small").logical_bytes
            assert 1 << 20 < counted < (1 << 20) + 1000

    run(go())
