"""Expensive work of strangers: turns of addresses, folders read once, memory bounded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from pinfold.core.cid import CID, DAG_PB
from pinfold.gateway import create_gateway, fair_pool
from pinfold.gateway.errors import Refusal
from pinfold.gateway.fair_pool import FairPool
from pinfold.gateway.folder_cache import Entries, FolderCache
from pinfold.gateway.resolver import LARGE_FOLDER_BYTES
from pinfold.node import Node
from pinfold.node.model import DirEntry, FolderLink
from pinfold.unixfs.dag import encode_data, encode_links
from tests.support.platform import run


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with Node(tmp_path / "data") as node:
        yield node


def flat_folder(node: Node, names: int, mark: str = "") -> CID:
    """A folder in one block."""
    leaf = node.block_put(b"five!")
    links = [(b"%s%05d" % (mark.encode(), number), leaf.bytes, 5) for number in range(names)]
    return node.block_put(encode_links(links) + encode_data(b"\x08\x01"), codec=DAG_PB)


def test_addresses_take_turns_and_each_has_one_thread_at_most() -> None:
    async def go() -> None:
        pool, begun, goes_on = FairPool(threads=2), [], threading.Event()

        def work(name: str) -> Callable[[], None]:
            def piece() -> None:
                begun.append(name)
                assert goes_on.wait(10)

            return piece

        asked = [("192.0.2.1", f"first {number}") for number in range(5)]
        asked += [("192.0.2.2", "second 0"), ("192.0.2.2", "second 1"), ("192.0.2.3", "third 0")]
        running = [asyncio.create_task(pool.run(address, work(name))) for address, name in asked]
        while len(begun) < 2:
            await asyncio.sleep(0.001)
        assert sorted(begun) == ["first 0", "second 0"]
        goes_on.set()
        await asyncio.gather(*running)
        assert begun.index("third 0") < begun.index("first 2")
        await pool.close()

    run(go())


def test_addresses_of_one_subscriber_take_one_turn_and_may_not_wait_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fair_pool, "MOST_WAITING", 3)

    async def go() -> None:
        pool, goes_on = FairPool(), threading.Event()
        ours = [f"2001:db8::{number}" for number in range(4)]
        running = [asyncio.create_task(pool.run(address, goes_on.wait)) for address in ours]
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as refused:
            await pool.run("2001:db8::99", goes_on.wait)
        assert (refused.value.status, "Retry-After" in refused.value.headers) == (429, True)
        goes_on.set()
        assert await pool.run("192.0.2.1", lambda: 5) == 5
        await asyncio.gather(*running)
        await pool.close()

    run(go())


def test_work_whose_client_has_gone_is_not_begun_and_an_error_reaches_its_caller() -> None:
    async def go() -> None:
        pool, goes_on, begun = FairPool(threads=1), threading.Event(), []
        first = asyncio.create_task(pool.run("192.0.2.1", goes_on.wait))
        gone = asyncio.create_task(pool.run("192.0.2.1", lambda: begun.append("gone")))
        await asyncio.sleep(0)
        gone.cancel()
        goes_on.set()
        await first
        with pytest.raises(ZeroDivisionError):
            await pool.run("192.0.2.1", lambda: 1 // 0)
        assert begun == []
        await pool.close()

    run(go())


def test_entries_are_sorted_found_by_name_and_cut_into_parts() -> None:
    links = [FolderLink(b"%03d" % (number * 7 % 500), CID.of(b"%d" % number).bytes, number) for number in range(500)]
    entries = Entries(links, is_cut=False)
    assert entries.part(0, 1000) == sorted(links)
    assert entries.part(499, 510) == [max(links)]
    assert all(entries.find(link.name) == link.cid for link in links)
    assert [entries.find(name) for name in (b"", b"0000", b"999")] == [None] * 3
    assert Entries([], is_cut=False).find(b"a") is None


def test_many_who_want_one_folder_share_a_reading_and_the_cache_keeps_to_its_bytes(node: Node) -> None:
    async def go() -> None:
        pool = FairPool()
        reads: list[CID] = []
        read = node.folder_links

        def counted(cid: CID) -> Iterator[FolderLink]:
            reads.append(cid)
            return read(cid)

        node.folder_links = counted  # type: ignore[method-assign]
        folders = [flat_folder(node, 1000, mark) for mark in "abc"]
        cache = FolderCache(node, pool, cache_bytes=150_000)
        many = await asyncio.gather(*(cache.entries("192.0.2.1", folders[0]) for _ in range(20)))
        assert len({id(one) for one in many}) == 1
        assert reads == folders[:1]
        for folder in folders:
            assert len(await cache.entries("192.0.2.1", folder)) == 1000
        assert [cache.known(folder) is not None for folder in folders] == [False, True, True]
        assert cache._known_bytes <= 150_000
        await pool.close()

    run(go())


def test_a_listing_reads_only_what_its_page_shows(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = flat_folder(node, 5000)
    described: list[int] = []
    describe = node.describe_links

    def counted(links: list[FolderLink]) -> list[DirEntry]:
        described.append(len(links))
        return describe(links)

    monkeypatch.setattr(node, "describe_links", counted)
    (page,) = ask(node, f"/ipfs/{folder}/?page=2")
    assert (page.status_code, described) == (200, [1000])
    assert "01000" in page.text and "01999" in page.text and "02000" not in page.text


def test_long_paths_and_large_folders_wait_for_the_turn_of_their_address(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy: list[str] = []
    take = FairPool.run

    async def counted(self: FairPool, address: str, work: Callable[[], object]) -> object:
        heavy.append(address)
        return await take(self, address, work)

    monkeypatch.setattr(FairPool, "run", counted)
    large = flat_folder(node, 3000)
    assert node.block_stat(large) > LARGE_FOLDER_BYTES
    above = node.block_put(encode_links([(b"large", large.bytes, 5)]) + encode_data(b"\x08\x01"), codec=DAG_PB)
    deep = node.block_put(encode_links([(b"d", above.bytes, 5)]) + encode_data(b"\x08\x01"), codec=DAG_PB)
    for _ in range(20):
        deep = node.block_put(encode_links([(b"d", deep.bytes, 5)]) + encode_data(b"\x08\x01"), codec=DAG_PB)
    small = flat_folder(node, 3, "s")
    (quick,) = ask(node, f"/ipfs/{small}/s00001")
    assert (quick.content, heavy) == (b"five!", [])
    (found,) = ask(node, f"/ipfs/{above}/large/02999")
    assert (found.content, len(heavy)) == (b"five!", 1)
    (found,) = ask(node, f"/ipfs/{deep}/{'d/' * 21}large/00007")
    assert (found.content, len(heavy)) == (b"five!", 2)
    absent, listed, again = ask(node, f"/ipfs/{large}/nothing", f"/ipfs/{large}/", f"/ipfs/{large}/nothing")
    assert (absent.status_code, listed.status_code, again.status_code) == (404, 200, 404)


def ask(node: Node, *paths: str) -> list[httpx.Response]:
    """What one gateway answers to requests, one after the other."""

    async def go() -> list[httpx.Response]:
        gateway = create_gateway(node)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(gateway), base_url="http://gateway.test") as client:
            answers = [await client.get(path) for path in paths]
        await gateway.close()
        return answers

    return run(go())
