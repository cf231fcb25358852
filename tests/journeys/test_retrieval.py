"""Content comes from gateways on loopback, honest ones and others, and is pinned."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from pinfold import Node
from pinfold.core.block import MAX_BLOCK_BYTES
from pinfold.core.cid import CID, DAG_CBOR, DAG_PB
from pinfold.core.codec import dag_cbor, dag_pb
from pinfold.core.errors import (
    BlockCorrupt,
    DagTooDeep,
    FetchFailed,
    InsecureHash,
    InvalidInput,
    MalformedBlock,
    QuotaExceeded,
    Stopped,
    TimedOut,
    UnknownCodec,
)
from pinfold.core.pin import PinMode
from pinfold.node.checks import verify
from pinfold.node.export import _order
from pinfold.node.retrieval import frontier
from pinfold.node.retrieval.model import RetrievalProgress, RetrievalSettings
from pinfold.node.retrieval.retriever import Retriever
from pinfold.store import Store
from tests.support.cli import Pinfold
from tests.support.dags import Tree, noise
from tests.support.gateways import Honest, asked_for, begin, car_of, gateway, not_found, send, wants_car
from tests.support.kubo import Kubo
from tests.support.stores import damage, leaves, lose, put_blocks, put_file, put_tree, put_value
from tests.support.up import Up

CONTENT = noise(1, 100_000)  # a root and 98 leaves of 1 KiB
TREE: Tree = {"a": {"b": {"c": CONTENT, "d": noise(2, 5000)}, "e": b"x"}, "f": noise(3, 40_000), "g": {}}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with Node(tmp_path / "node") as opened:
        yield opened


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Store]:
    """A store that has everything."""
    opened = Store(tmp_path / "source")
    yield opened
    opened.close()


def settings(*gateways: str, **more: Any) -> RetrievalSettings:
    return RetrievalSettings(gateways=gateways, **{"silent_timeout_s": 5.0, "time_limit_s": 60.0, **more})


def retrieve(node: Node, cid: CID, *gateways: str, name: str = "wanted", **more: Any) -> Any:
    """What a retriever of its own brings."""
    call = {key: more.pop(key) for key in ("origins", "max_bytes", "progress", "stop") if key in more}
    with Retriever(node, settings(*gateways, **more)) as retriever:
        return retriever.retrieve(cid, pin_name=name, **call)


def blocks_of(store: Store, root: CID) -> list[tuple[CID, bytes]]:
    """A DAG's blocks, depth first."""
    return [(CID.from_bytes(cid), store.read_cid(cid)) for cid, _ in _order(store, root.bytes)]


def assert_whole(node: Node, root: CID, source: Store, name: str = "wanted") -> None:
    """The DAG is pinned under this name, sound, and survives a gc."""
    node.gc()
    assert [(pin.mode, pin.name) for pin in node.pin_ls(cids=[root])] == [(PinMode.RECURSIVE, name)]
    assert verify(node.store).ok
    assert set(node.refs_local()) == {cid for cid, _ in blocks_of(source, root)}


# --- honest sources ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("car", [True, False], ids=["car", "blocks"])
def test_a_tree_comes_whole_and_is_pinned(node: Node, source: Store, car: bool) -> None:
    root = put_tree(source, TREE)
    answer = Honest(source, car=car)
    with gateway(answer) as url:
        done = retrieve(node, root, url)
    blocks = blocks_of(source, root)
    assert (done.cid, done.blocks, done.fetched_blocks) == (root, len(blocks), len(blocks))
    assert done.bytes == done.fetched_bytes == sum(len(data) for _, data in blocks)
    assert_whole(node, root, source)
    assert (len(answer.blocks) == 0) if car else (sorted(answer.blocks) == sorted(cid for cid, _ in blocks))


@pytest.mark.parametrize("made_by", ["unixfs-v0-2015", "unixfs-v1-2025"])
def test_every_profile_comes(node: Node, source: Store, made_by: str) -> None:
    from pinfold.unixfs.profile import profile

    root = put_tree(source, TREE, profile(made_by))
    with gateway(Honest(source)) as url:
        retrieve(node, root, url)
    assert_whole(node, root, source)


@pytest.mark.parametrize("size", [0, 10, 3000])
def test_a_single_block_comes(node: Node, source: Store, size: int) -> None:
    root = put_file(source, noise(4, size))
    with gateway(Honest(source)) as url:
        retrieve(node, root, url)
    assert_whole(node, root, source)


def test_a_root_that_carries_its_content_needs_nobody(node: Node) -> None:
    cid = CID.of(b"tiny", hash_code=0)
    assert retrieve(node, cid).blocks == 0
    assert [pin.cid for pin in node.pin_ls()] == [cid]


def test_structured_blocks_come_with_what_they_link_to(node: Node, source: Store) -> None:
    leaf = put_value(source, DAG_CBOR, {"leaf": 1})
    root = put_value(source, DAG_CBOR, {"to": [leaf, leaf], "inline": CID.of(b"x", hash_code=0)})
    with gateway(Honest(source)) as url:
        assert retrieve(node, root, url).blocks == 2
    assert_whole(node, root, source)


def test_several_sources_share_the_work(node: Node, source: Store) -> None:
    root = put_file(source, noise(5, 400_000))
    answers = [Honest(source, car=False) for _ in range(3)]
    with gateway(answers[0]) as first, gateway(answers[1]) as second, gateway(answers[2]) as third:
        done = retrieve(node, root, first, second, third)
    assert all(len(answer.blocks) > 20 for answer in answers)
    assert done.fetched_blocks == done.blocks <= sum(len(answer.blocks) for answer in answers)
    assert_whole(node, root, source)


def test_what_each_source_lacks_comes_from_another(node: Node, source: Store) -> None:
    root = put_file(source, CONTENT)
    parts = leaves(source, root)
    odd, even = Honest(source, without=parts[::2], car=False), Honest(source, without=parts[1::2], car=False)
    with gateway(odd) as first, gateway(even) as second, gateway(not_found) as third:
        retrieve(node, root, third, first, second)
    assert_whole(node, root, source)


def test_what_is_here_is_not_fetched(node: Node, source: Store) -> None:
    root = put_tree(source, TREE)
    here = put_tree(node.store, {"c": CONTENT})
    answer = Honest(source, car=False)
    with gateway(answer) as url:
        done = retrieve(node, root, url)
    had = set(leaves(source, put_file(source, CONTENT)))
    assert not had & set(answer.blocks)
    assert done.blocks - done.fetched_blocks == len(had) + 1
    assert done.bytes - done.fetched_bytes >= len(CONTENT)
    assert here not in answer.blocks


def test_a_dag_that_is_mostly_here_is_not_streamed(node: Node, source: Store) -> None:
    put_file(node.store, noise(6, 2_000_000))
    root = put_tree(source, {"f": noise(6, 2_000_000), "new": b"new"})
    answer = Honest(source)
    with gateway(answer) as url:
        assert retrieve(node, root, url).fetched_bytes < 1000
    assert answer.cars in ([root], [])


def test_content_that_is_here_is_pinned_without_a_request(node: Node, source: Store) -> None:
    root = put_tree(node.store, TREE)
    put_tree(source, TREE)
    done = retrieve(node, root, "http://127.0.0.1:1")
    assert (done.fetched_blocks, done.fetched_bytes) == (0, 0)
    assert_whole(node, root, source)


def test_a_pin_that_is_there_stays_as_it_is(node: Node, source: Store) -> None:
    root = put_file(node.store, CONTENT)
    node.pin_add(root, name="mine")
    before = list(node.pin_ls(cids=[root]))
    done = retrieve(node, root, "http://127.0.0.1:1")
    assert (done.blocks, done.bytes >= len(CONTENT), done.fetched_blocks) == (99, True, 0)
    assert list(node.pin_ls(cids=[root])) == before


def test_a_direct_pin_becomes_recursive_and_keeps_its_name(node: Node, source: Store) -> None:
    root = put_file(source, CONTENT)
    put_blocks(node.store, {root.bytes: source.read(root.multihash)})
    node.pin_add(root, recursive=False, name="mine")
    with gateway(Honest(source)) as url:
        retrieve(node, root, url)
    assert_whole(node, root, source, "mine")


def test_a_retrieval_tells_how_far_it_is(node: Node, source: Store) -> None:
    root = put_file(source, CONTENT)
    told: list[RetrievalProgress] = []
    with gateway(Honest(source)) as url:
        done = retrieve(node, root, url, progress=told.append)
    assert told[-1] == RetrievalProgress(done.blocks, done.bytes, 0, 1)
    assert [step.blocks for step in told] == sorted(step.blocks for step in told)


def test_two_retrievals_of_one_dag_at_once_both_succeed(node: Node, source: Store) -> None:
    root = put_file(source, noise(7, 1_000_000))
    with gateway(Honest(source)) as url, Retriever(node, settings(url)) as retriever, ThreadPoolExecutor(2) as pool:
        both = [pool.submit(retriever.retrieve, root, pin_name="wanted") for _ in range(2)]
        assert [work.result().blocks for work in both] == [978, 978]
    assert_whole(node, root, source)


def test_a_gc_beside_a_retrieval_takes_nothing_of_it(
    node: Node, source: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinfold.node.retrieval.retrieval.FLUSH_BLOCKS", 10)
    root = put_file(source, noise(8, 300_000))
    put_blocks(node.store, dict(list({c.bytes: d for c, d in blocks_of(source, root)}.items())[40:80]))
    done = threading.Event()
    collected = []

    def collect() -> None:
        while not done.is_set():
            collected.append(node.gc().blocks)

    thread = threading.Thread(target=collect)
    answer = Honest(source, car=False)
    with gateway(answer) as url:
        retrieve(node, put_file(source, b"warm"), url)
        thread.start()
        try:
            retrieve(node, root, url)
        finally:
            done.set()
            thread.join()
    assert node.store.walk(root).missing == []
    assert verify(node.store).ok


# --- sources that are no help -----------------------------------------------------------------------------------------


def lying(request: BaseHTTPRequestHandler) -> None:
    send(request, b"other bytes")


def endless_block(request: BaseHTTPRequestHandler) -> None:
    begin(request, "application/vnd.ipld.raw")
    while True:
        request.wfile.write(bytes(65_536))


def redirecting_in_circles(request: BaseHTTPRequestHandler) -> None:
    send(request, b"", 302, Location=request.path)


def hanging_up(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True


def failing(request: BaseHTTPRequestHandler) -> None:
    send(request, b"oh no", 500)


def compressing(request: BaseHTTPRequestHandler) -> None:
    send(request, b"x", Content_Encoding="gzip")


USELESS = {
    lying: "other bytes",
    endless_block: "2,097,152",
    redirecting_in_circles: "redirects",
    hanging_up: "disconnected",
    failing: "500",
    compressing: "compressed",
    not_found: "404",
}


@pytest.mark.parametrize("useless", USELESS, ids=lambda answer: answer.__name__)
def test_a_source_that_is_no_help_is_done_without(node: Node, source: Store, useless: Any) -> None:
    root = put_file(source, CONTENT)
    with gateway(useless) as first, gateway(Honest(source)) as second:
        retrieve(node, root, first, second)
    assert_whole(node, root, source)


@pytest.mark.parametrize(("useless", "words"), USELESS.items(), ids=lambda what: getattr(what, "__name__", ""))
def test_what_nobody_has_is_told_with_what_each_source_did(node: Node, useless: Any, words: str) -> None:
    cid = CID.of(b"nowhere")
    with gateway(useless) as url, gateway(not_found) as other, pytest.raises(FetchFailed) as caught:
        retrieve(node, cid, url.replace("//", "//user:geheim@"), other)
    said = str(caught.value)
    assert str(cid) in said and words in said and url in said and other in said
    assert "geheim" not in said
    assert list(node.refs_local()) == []


def test_one_missing_block_is_named_and_the_rest_is_kept(node: Node, source: Store) -> None:
    root = put_file(source, CONTENT)
    gone = leaves(source, root)[50]
    with gateway(Honest(source, without=[gone], car=False)) as url, pytest.raises(FetchFailed, match=str(gone)):
        retrieve(node, root, url)
    assert list(node.pin_ls()) == []
    assert len(list(node.refs_local())) == 98
    answer = Honest(source)
    with gateway(answer) as url:
        assert retrieve(node, root, url).fetched_blocks == 1
    assert (answer.blocks, answer.cars) == ([gone], [])
    assert_whole(node, root, source)


def test_nobody_to_ask_is_told(node: Node) -> None:
    with pytest.raises(FetchFailed, match=r"nobody to fetch from: name origins.*PINFOLD_FETCH_FROM.*CAR") as caught:
        retrieve(node, CID.of(b"nowhere"))
    assert "origins" in caught.value.hint


def test_a_liar_in_the_middle_of_a_car_is_not_asked_again(node: Node, source: Store) -> None:
    root = put_file(source, CONTENT)
    blocks = blocks_of(source, root)
    asked = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        begin(request)
        request.wfile.write(car_of(root, [*blocks[:60], (blocks[60][0], b"a lie"), *blocks[61:]]))

    with gateway(answer) as liar, gateway(Honest(source)) as honest:
        retrieve(node, root, liar, honest)
    assert len(asked) == 1 or "format=raw" in asked[-1]
    assert_whole(node, root, source)
    with gateway(answer) as liar, Node(node.data_dir.parent / "other") as other:
        with pytest.raises(FetchFailed, match=f"other bytes for {blocks[60][0]}"):
            retrieve(other, root, liar)
        assert verify(other.store).ok


def stalling_after(body: bytes, done: threading.Event) -> Any:
    def answer(request: BaseHTTPRequestHandler) -> None:
        begin(request)
        request.wfile.write(body)
        request.wfile.flush()
        done.wait(30)

    return answer


def test_a_source_that_falls_silent_is_left_and_what_it_gave_is_kept(node: Node, source: Store) -> None:
    root = put_file(source, CONTENT)
    done = threading.Event()
    answer = Honest(source)
    with gateway(stalling_after(car_of(root, blocks_of(source, root)[:40]), done)) as silent:
        with pytest.raises(FetchFailed, match="silent for too long"):
            retrieve(node, root, silent, silent_timeout_s=0.3)
        assert len(list(node.refs_local())) == 40
        with gateway(answer) as honest:
            retrieve(node, root, silent, honest, silent_timeout_s=0.3)
        done.set()
    assert_whole(node, root, source)


def test_a_trickle_is_as_good_as_silence(node: Node, source: Store) -> None:
    root = put_file(source, CONTENT)
    done = threading.Event()

    def trickle(request: BaseHTTPRequestHandler) -> None:
        begin(request, "application/vnd.ipld.raw" if not wants_car(request) else "application/vnd.ipld.car")
        while not done.wait(0.05):
            request.wfile.write(b"\x01")
            request.wfile.flush()

    with gateway(trickle) as slow, gateway(Honest(source)) as honest:
        begun = time.monotonic()
        retrieve(node, root, slow, honest, silent_timeout_s=0.3)
        with pytest.raises(FetchFailed):
            retrieve(node, CID.of(b"nowhere"), slow, silent_timeout_s=0.3)
        done.set()
    assert time.monotonic() - begun < 10
    assert_whole(node, root, source)


@pytest.mark.parametrize("cut", [30, 5_000, 50_000])
def test_a_car_that_is_cut_off_is_completed_block_by_block(node: Node, source: Store, cut: int) -> None:
    root = put_file(source, CONTENT)
    honest = Honest(source)

    def answer(request: BaseHTTPRequestHandler) -> None:
        if wants_car(request):
            begin(request)
            request.wfile.write(car_of(root, blocks_of(source, root))[:cut])
        else:
            honest(request)

    with gateway(answer) as url:
        retrieve(node, root, url)
    assert 0 < len(honest.blocks) <= 99
    assert_whole(node, root, source)


def test_a_car_in_the_wrong_order_is_still_of_use(node: Node, source: Store) -> None:
    root = put_tree(source, TREE)

    def answer(request: BaseHTTPRequestHandler) -> None:
        assert wants_car(request)
        begin(request)
        request.wfile.write(car_of(root, reversed(blocks_of(source, root))))

    with gateway(answer) as url:
        retrieve(node, root, url)
    assert_whole(node, root, source)


def test_a_source_that_sends_what_nobody_asked_for_is_dropped(node: Node, source: Store) -> None:
    root = put_file(source, CONTENT)
    sent = []

    def junk(request: BaseHTTPRequestHandler) -> None:
        begin(request)
        request.wfile.write(car_of(root, []))
        while True:
            data = os.urandom(1000)
            request.wfile.write(car_of(root, [(CID.of(data), data)])[len(car_of(root, [])) :])
            sent.append(data)

    with gateway(junk) as url:
        with pytest.raises(FetchFailed, match="nobody asked for"):
            retrieve(node, root, url)
        assert len(sent) < 20_000
        assert list(node.refs_local()) == []
        with gateway(Honest(source)) as honest:
            retrieve(node, root, url, honest)
    assert_whole(node, root, source)


def test_a_car_that_goes_round_and_round_is_left(node: Node, source: Store) -> None:
    root = put_file(source, CONTENT)
    blocks = blocks_of(source, root)
    honest = Honest(source)

    def answer(request: BaseHTTPRequestHandler) -> None:
        if not wants_car(request):
            return honest(request)
        begin(request)
        request.wfile.write(car_of(root, blocks[:50]))
        again = car_of(root, blocks[1:50])[len(car_of(root, [])) :]
        while True:
            request.wfile.write(again)

    with gateway(answer) as url:
        retrieve(node, root, url)
    assert_whole(node, root, source)


def test_a_block_that_is_too_large_is_refused(node: Node) -> None:
    large = bytes(MAX_BLOCK_BYTES + 1)
    cid = CID.of(large)

    def answer(request: BaseHTTPRequestHandler) -> None:
        if wants_car(request):
            begin(request)
            request.wfile.write(car_of(cid, [(cid, large)]))
        else:
            send(request, large)

    with gateway(answer) as url, pytest.raises(FetchFailed, match="2,097,152"):
        retrieve(node, cid, url)
    assert list(node.refs_local()) == []


def test_cookies_are_not_kept(node: Node, source: Store) -> None:
    root = put_file(source, CONTENT)
    honest, cookies = Honest(source, car=False), []

    def answer(request: BaseHTTPRequestHandler) -> None:
        cookies.append(request.headers["Cookie"])
        if wants_car(request):
            send(request, b"", 406, Set_Cookie="tracked=1; Path=/")
        else:
            honest(request)

    with gateway(answer) as url:
        retrieve(node, root, url)
    assert set(cookies) == {None}


def test_a_busy_source_is_asked_again_when_it_said(node: Node, source: Store) -> None:
    root = put_file(source, b"x")
    honest, answers = Honest(source), iter([429, 503, 503])

    def answer(request: BaseHTTPRequestHandler) -> None:
        status = next(answers, 0)
        send(request, b"later", status, Retry_After="0") if status else honest(request)

    with gateway(answer) as url:
        retrieve(node, root, url)
    assert_whole(node, root, source)


# --- DAGs that cannot be pinned ---------------------------------------------------------------------------------------


def served(blocks: dict[CID, bytes]) -> Any:
    """A gateway over blocks that no store would take."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        data = blocks.get(asked_for(request))
        if data is None or wants_car(request):
            not_found(request)
        else:
            send(request, data)

    return answer


def linking_to(cid: bytes) -> tuple[CID, dict[CID, bytes]]:
    data = dag_pb.encode(dag_pb.PBNode([dag_pb.PBLink(cid, b"", 1)], None))
    root = CID.of(data, codec=DAG_PB)
    return root, {root: data}


def test_a_block_that_is_not_what_its_codec_says_is_refused(node: Node) -> None:
    bad = b"\xff no dag-pb"
    cid = CID.of(bad, codec=DAG_PB)
    root, blocks = linking_to(cid.bytes)
    with gateway(served({**blocks, cid: bad})) as url, pytest.raises(MalformedBlock, match=str(cid)):
        retrieve(node, root, url)
    assert list(node.refs_local()) == []


@pytest.mark.parametrize(
    ("link", "error"),
    [
        (CID(1, 0x78, CID.of(b"git").multihash).bytes, UnknownCodec),
        (b"\x01\x55\xd5\x01\x10" + bytes(16), InsecureHash),
    ],
    ids=["codec", "md5"],
)
def test_a_link_that_cannot_be_followed_is_refused(node: Node, link: bytes, error: type[Exception]) -> None:
    root, blocks = linking_to(link)
    with gateway(served(blocks)) as url, pytest.raises(error):
        retrieve(node, root, url)
    assert list(node.refs_local()) == []


def test_a_chain_without_end_is_refused(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontier, "MAX_DEPTH", 50)
    blocks: dict[CID, bytes] = {}
    cid = CID.of(b"end")
    for _ in range(100):
        data = dag_cbor.encode({"next": cid})
        cid = CID.of(data, codec=DAG_CBOR)
        blocks[cid] = data
    with gateway(served(blocks)) as url, pytest.raises(DagTooDeep):
        retrieve(node, cid, url)
    assert list(node.refs_local()) == []


def test_a_damaged_block_that_was_here_is_told_as_damage(node: Node, source: Store) -> None:
    root = put_file(source, CONTENT)
    put_blocks(node.store, {root.bytes: source.read(root.multihash)})
    damage(node.store, root, 9)
    with gateway(Honest(source)) as url, pytest.raises(BlockCorrupt, match=str(root)):
        retrieve(node, root, url)


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("car", [True, False], ids=["car", "blocks"])
def test_a_quota_stops_it_while_it_runs_and_nothing_stays(
    node: Node, source: Store, car: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinfold.node.retrieval.retrieval.FLUSH_BLOCKS", 10)
    root = put_file(source, CONTENT)
    kept = node.add_bytes(b"something else")
    answer = Honest(source, car=car)
    with gateway(answer) as url, pytest.raises(QuotaExceeded, match="the quota allows 50,000"):
        retrieve(node, root, url, max_bytes=50_000)
    assert len(answer.blocks) < 99
    assert list(node.refs_local()) == [kept]


def test_what_is_here_counts_towards_the_quota(node: Node, source: Store) -> None:
    root = put_tree(source, {"a": CONTENT, "b": b"x"})
    put_file(node.store, CONTENT)
    with gateway(Honest(source)) as url:
        with pytest.raises(QuotaExceeded):
            retrieve(node, root, url, max_bytes=len(CONTENT))
        size = retrieve(node, root, url).bytes
        with pytest.raises(QuotaExceeded):
            retrieve(node, root, url, max_bytes=size - 1)
        assert retrieve(node, root, url, max_bytes=size).bytes == size


def test_a_dag_of_exactly_the_quota_passes(node: Node, source: Store) -> None:
    root = put_file(source, CONTENT)
    size = sum(len(data) for _, data in blocks_of(source, root))
    with gateway(Honest(source)) as url:
        retrieve(node, root, url, max_bytes=size)
    assert_whole(node, root, source)


def test_a_time_limit_says_where_it_stood_and_the_next_goes_on_from_there(node: Node, source: Store) -> None:
    root = put_file(source, CONTENT)
    blocks = blocks_of(source, root)
    done = threading.Event()
    with gateway(stalling_after(car_of(root, blocks[:41]), done)) as url:
        with pytest.raises(TimedOut) as caught:
            retrieve(node, root, url, time_limit_s=0.5)
        done.set()
    size = sum(len(data) for _, data in blocks[:41])
    assert f"41 blocks ({size:,} bytes) are here, at least 58 are missing, such as " in str(caught.value)
    with gateway(Honest(source)) as url:
        assert retrieve(node, root, url).fetched_blocks == 58
    assert_whole(node, root, source)


def test_a_stop_ends_it_soon_and_keeps_what_came(node: Node, source: Store) -> None:
    root = put_file(source, CONTENT)
    done, stop = threading.Event(), threading.Event()

    def stop_at_40(now: RetrievalProgress) -> None:
        if now.blocks >= 40:
            stop.set()

    with gateway(stalling_after(car_of(root, blocks_of(source, root)[:40]), done)) as url:
        begun = time.monotonic()
        with pytest.raises(Stopped, match="40 blocks"):
            retrieve(node, root, url, silent_timeout_s=30, progress=stop_at_40, stop=stop)
        assert time.monotonic() - begun < 5
        done.set()
    assert len(list(node.refs_local())) == 40


def test_closing_ends_what_runs(node: Node, source: Store) -> None:
    root = put_file(source, CONTENT)
    done, begun = threading.Event(), threading.Event()
    with gateway(stalling_after(car_of(root, blocks_of(source, root)[:40]), done)) as url:
        retriever = Retriever(node, settings(url))
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(retriever.retrieve, root, pin_name="x", progress=lambda now: begun.set())
            assert begun.wait(10)
            retriever.close()
            with pytest.raises(Stopped):
                work.result()
        done.set()
    with pytest.raises(Stopped):
        retriever.retrieve(root, pin_name="x")


def test_many_known_missing_blocks_are_held_in_bounds(
    node: Node, source: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontier, "MAX_MISSING", 20)
    monkeypatch.setattr("pinfold.node.retrieval.retrieval.FLUSH_BLOCKS", 10)
    root = put_tree(source, {f"{number}": noise(number, 20_000) for number in range(30)})
    most = 0

    def look(now: RetrievalProgress) -> None:
        nonlocal most
        most = max(most, now.known_missing)

    with gateway(Honest(source)) as url:
        retrieve(node, root, url, progress=look)
    assert most <= 20 + 30 + 20
    assert_whole(node, root, source)


# --- origins, routers, addresses --------------------------------------------------------------------------------------


def multiaddr(url: str) -> str:
    host, port = url.removeprefix("http://").split(":")
    return f"/ip4/{host}/tcp/{port}/http"


def test_an_origin_is_asked_where_private_addresses_are_allowed(node: Node, source: Store) -> None:
    root = put_file(source, CONTENT)
    others = ["/ip4/127.0.0.1/udp/4001/quic-v1/p2p/12D3KooW", "nonsense"]
    with gateway(Honest(source)) as url:
        retrieve(node, root, origins=[*others, multiaddr(url)], allow_private_origins=True)
    assert_whole(node, root, source)


@pytest.mark.parametrize("host", ["/ip4/127.0.0.1", "/dns4/localhost", "/ip6/::1", "/ip6/::ffff:127.0.0.1"])
def test_a_private_origin_is_refused_and_never_asked(node: Node, source: Store, host: str) -> None:
    root = put_file(source, CONTENT)
    answer = Honest(source)
    with gateway(answer) as url:
        port = url.rpartition(":")[2]
        with pytest.raises(FetchFailed, match="not an address of the public internet"):
            retrieve(node, root, origins=[f"{host}/tcp/{port}/http", "/ip4/10.0.0.1/tcp/4001"])
    assert answer.blocks == answer.cars == []


def test_a_gateway_may_be_private_but_does_not_lead_to_others_that_are(node: Node, source: Store) -> None:
    root = put_file(source, b"x")
    answer = Honest(source)
    with gateway(answer) as target:

        def elsewhere(request: BaseHTTPRequestHandler) -> None:
            send(request, b"", 302, Location=target.replace("127.0.0.1", "localhost") + request.path)

        def within(request: BaseHTTPRequestHandler) -> None:
            send(request, b"", 302, Location=target + request.path)

        with gateway(elsewhere) as url, pytest.raises(FetchFailed, match="localhost"):
            retrieve(node, root, url)
        assert answer.blocks == answer.cars == []
        with gateway(within) as url:
            retrieve(node, root, url)
    assert_whole(node, root, source)


@pytest.mark.parametrize("lines", [True, False], ids=["ndjson", "json"])
def test_providers_that_a_router_names_are_asked(node: Node, source: Store, lines: bool) -> None:
    root = put_file(source, CONTENT)
    asked = []
    with gateway(Honest(source)) as url:
        records: list[dict[str, Any]] = [
            {
                "Schema": "peer",
                "ID": "x",
                "Addrs": ["/ip4/127.0.0.1/udp/1/quic-v1"],
                "Protocols": ["transport-bitswap"],
            },
            {"Schema": "peer", "ID": "y", "Addrs": [multiaddr(url)], "Protocols": ["transport-ipfs-gateway-http"]},
        ]

        def router(request: BaseHTTPRequestHandler) -> None:
            asked.append(request.path.partition("?")[0])
            body = "\n".join(map(json.dumps, records)) if lines else json.dumps({"Providers": records})
            send(request, body.encode())

        with gateway(router) as named:
            retrieve(node, root, routers=(named,), allow_private_origins=True)
            assert_whole(node, root, source)
            assert asked == [f"/routing/v1/providers/{root.to_v1()}"]
            with pytest.raises(FetchFailed, match="public internet"):
                retrieve(node, CID.of(b"nowhere"), routers=(named,))


def test_a_router_is_asked_again_for_a_block_that_all_lack(node: Node, source: Store) -> None:
    root = put_file(source, CONTENT)
    gone = leaves(source, root)[7]
    asked = []
    with gateway(Honest(source, without=[gone], car=False)) as first, gateway(Honest(source)) as second:

        def router(request: BaseHTTPRequestHandler) -> None:
            asked.append(asked_for(request))
            if asked_for(request) != gone:
                return not_found(request)
            record = {"Schema": "peer", "Addrs": [multiaddr(second)], "Protocols": ["transport-ipfs-gateway-http"]}
            send(request, json.dumps({"Providers": [record]}).encode())

        with gateway(router) as named:
            retrieve(node, root, first, routers=(named,), allow_private_origins=True)
    assert asked == [root, gone]
    assert_whole(node, root, source)


@pytest.mark.parametrize("answer", [failing, hanging_up, lying, redirecting_in_circles], ids=lambda it: it.__name__)
def test_a_router_that_is_no_help_is_told_and_done_without(node: Node, source: Store, answer: Any) -> None:
    root = put_file(source, CONTENT)
    with gateway(answer) as router, gateway(Honest(source)) as url:
        retrieve(node, root, url, routers=(router,))
    assert_whole(node, root, source)


@pytest.mark.parametrize("url", ["", "gateway.example", "file:///etc", "http://", "http://x:port"])
def test_a_gateway_address_that_is_none_is_refused(node: Node, url: str) -> None:
    for chosen in (RetrievalSettings(gateways=(url,)), RetrievalSettings(routers=(url,))):
        with pytest.raises(InvalidInput):
            Retriever(node, chosen)


# --- kills ------------------------------------------------------------------------------------------------------------

_KILLED = """
import sys
from pinfold import Node
from pinfold.core.cid import CID
from pinfold.node.retrieval.model import RetrievalSettings
from pinfold.node.retrieval.retriever import Retriever

def tell(now):
    print(now.blocks, flush=True)

with Node(sys.argv[1]) as node, Retriever(node, RetrievalSettings(gateways=(sys.argv[3],))) as retriever:
    retriever.retrieve(CID.parse(sys.argv[2]), pin_name="wanted", progress=tell)
"""


@pytest.mark.parametrize("car", [True, False], ids=["car", "blocks"])
def test_after_a_kill_it_goes_on_from_what_is_here(node: Node, source: Store, car: bool) -> None:
    root = put_file(source, noise(9, 600_000))
    blocks = blocks_of(source, root)
    done = threading.Event()
    honest = Honest(source, car=False)

    def half(request: BaseHTTPRequestHandler) -> None:
        if car:
            return stalling_after(car_of(root, blocks[:300]), done)(request)  # type: ignore[no-any-return]
        if len(honest.blocks) >= 300:
            done.wait(30)
        honest(request)

    with gateway(half) as url:
        process = subprocess.Popen(
            [sys.executable, "-c", _KILLED, node.data_dir, str(root), url], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 280:
                break
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        done.set()
    assert list(node.pin_ls()) == []
    with gateway(Honest(source)) as url:
        assert retrieve(node, root, url).fetched_blocks <= len(blocks) - 280
    assert_whole(node, root, source)


# --- other programs ---------------------------------------------------------------------------------------------------


def test_our_own_gateway_is_a_source(tmp_path: Path, node: Node, source: Store, pinfold: Pinfold) -> None:
    with Node(pinfold.data_dir) as theirs:
        root = put_tree(theirs.store, TREE)
        theirs.pin_add(root)
    put_tree(source, TREE)
    with Up(pinfold) as up:
        retrieve(node, root, up.gateway_url)
    assert_whole(node, root, source)


@pytest.mark.parametrize("flags", [[], ["--cid-version=1", "--raw-leaves"]], ids=["v0", "v1"])
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "part"])
def test_a_real_kubo_is_a_source(
    tmp_path: Path, node: Node, kubo_daemon: Kubo, flags: Sequence[str], whole: bool
) -> None:
    from tests.support.trees import write_everything

    tree = write_everything(tmp_path / "tree")
    (tree / "unique").write_bytes(os.urandom(3_000_000))
    root = CID.parse(kubo_daemon.add(tree, "--hidden", *flags))
    told: list[RetrievalProgress] = []
    done = retrieve(node, root, kubo_daemon.gateway_url, progress=told.append)
    assert done.blocks == done.fetched_blocks > 5
    if not whole:
        lost = [cid for cid in node.refs_local() if cid != root][::2]
        for cid in lost:
            lose(node.store, cid)
        node.pin_rm(root)
        assert retrieve(node, root, kubo_daemon.gateway_url).fetched_blocks == len(lost)
    assert node.pin_verify(root).ok
    assert verify(node.store).ok
    with pytest.raises(FetchFailed, match=r"answered (404|500|504)"):
        retrieve(node, CID.of(os.urandom(20)), kubo_daemon.gateway_url)
