"""Bad and missing blocks fetched again from gateways on loopback, honest ones and others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from pinfold.core.cid import CID, DAG_CBOR
from pinfold.core.errors import FetchFailed, InvalidInput
from pinfold.core.pin import PinMode
from pinfold.node.checks import verify
from pinfold.node.fetch import repair
from pinfold.node.model import ProblemKind
from pinfold.node.trustless import TrustlessClient
from pinfold.store import Store
from tests.support.dags import Tree, noise
from tests.support.gateways import Answer, Honest, begin, gateway, not_found, send
from tests.support.stores import damage, leaves, lose, pinned_file, put_blocks, put_file, put_tree, put_value

CONTENT = noise(1, 20_000)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is reached directly, whatever the machine says."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Store]:
    """A store that has everything."""
    opened = Store(tmp_path / "source")
    yield opened
    opened.close()


def lying(request: BaseHTTPRequestHandler) -> None:
    send(request, b"other bytes")


def endless(request: BaseHTTPRequestHandler) -> None:
    begin(request, "application/octet-stream")
    for _ in range(1000):
        request.wfile.write(bytes(65536))


def test_damaged_blocks_are_replaced(store: Store, source: Store) -> None:
    file = pinned_file(store, CONTENT, "mine")
    put_file(source, CONTENT)
    bad = {file, *leaves(store, file)[3:6]}
    for cid in bad:
        damage(store, cid, 7)
    with gateway(Honest(source)) as url:
        report = repair(store, [url])
    assert (set(report.repaired), report.failed) == (bad, ())
    assert verify(store).ok
    store.gc()
    assert verify(store).ok
    assert store.walk(file).missing == []


def test_missing_blocks_are_fetched_level_by_level(store: Store, source: Store) -> None:
    tree: Tree = {"a": {"b": {"c": CONTENT}}, "d": b"x"}
    root = put_tree(store, tree)
    put_tree(source, tree)
    store.pin(root, PinMode.RECURSIVE, name="mine")
    lost = [cid for cid in map(CID.from_bytes, store.local_cids()) if cid != put_file(store, b"x")]
    for cid in lost:
        lose(store, cid)
    with gateway(Honest(source)) as url:
        report = repair(store, [url + "/"])
    assert (set(report.repaired), report.failed) == (set(lost), ())
    store.gc()
    found = verify(store)
    assert (found.ok, found.blocks, found.pins) == (True, len(lost) + 1, 1)


def test_what_is_below_a_damaged_block_is_mended_too(store: Store, source: Store) -> None:
    file = pinned_file(store, CONTENT)
    put_file(source, CONTENT)
    leaf = leaves(store, file)[2]
    lose(store, leaf)
    damage(store, file, 9)
    with gateway(Honest(source)) as url:
        report = repair(store, [url])
    assert (set(report.repaired), report.failed) == ({file, leaf}, ())
    assert verify(store).ok


def test_a_whole_store_has_nothing_to_repair(store: Store) -> None:
    pinned_file(store, CONTENT)
    report = repair(store, ["http://127.0.0.1:1"])
    assert (report.repaired, report.failed) == ((), ())


@pytest.mark.parametrize("first", [not_found, lying, endless], ids=lambda answer: answer.__name__)
def test_a_gateway_that_is_no_help_is_passed_over(store: Store, source: Store, first: Answer) -> None:
    file = pinned_file(store, CONTENT)
    put_file(source, CONTENT)
    damage(store, file)
    with gateway(first) as useless, gateway(Honest(source)) as useful:
        report = repair(store, [useless, useful])
    assert (report.repaired, report.failed) == ((file,), ())
    assert verify(store).ok


def test_a_stalled_gateway_is_left_after_its_time(store: Store, source: Store) -> None:
    file = pinned_file(store, CONTENT)
    put_file(source, CONTENT)
    damage(store, file)
    done = threading.Event()

    def stalled(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "100")
        request.end_headers()
        request.wfile.write(b"a beginning")
        request.wfile.flush()
        done.wait(30)

    with gateway(stalled) as useless, gateway(Honest(source)) as useful:
        report = repair(store, [useless, useful], timeout_s=0.2)
        done.set()
    assert (report.repaired, report.failed) == ((file,), ())


@pytest.mark.parametrize(
    ("answer", "words"),
    [(not_found, "404"), (lying, "other bytes"), (endless, "2,097,152")],
    ids=["404", "lie", "2MiB"],
)
def test_what_no_gateway_gives_stays_as_it_was_and_is_told(store: Store, answer: Answer, words: str) -> None:
    file = pinned_file(store, CONTENT)
    damage(store, file)
    lost = pinned_file(store, noise(2, 3000))
    lose(store, lost)
    before = store.numbers()
    with gateway(answer) as url:
        report = repair(store, [url])
    assert report.repaired == ()
    assert {(problem.kind, problem.cid) for problem in report.failed} == {
        (ProblemKind.CORRUPT_BLOCK, file),
        (ProblemKind.MISSING_BLOCK, lost),
    }
    assert all(words in problem.message for problem in report.failed)
    assert store.numbers().blocks == before.blocks
    assert {problem.cid for problem in verify(store).problems} == {file, lost}


def test_what_could_be_fetched_of_a_pin_is_kept_though_something_is_still_missing(store: Store, source: Store) -> None:
    file = pinned_file(store, CONTENT)
    there, absent = leaves(store, file)[1:3]
    put_blocks(source, {there.bytes: store.read(there.multihash)})
    for cid in (there, absent):
        lose(store, cid)
    with gateway(Honest(source)) as url:
        report = repair(store, [url])
    assert report.repaired == (there,)
    assert [problem.cid for problem in report.failed] == [absent]
    store.gc()
    assert store.row(there.multihash) is not None
    assert [problem.cid for problem in verify(store).problems] == [absent]


def test_a_pin_whose_blocks_came_back_is_settled_without_a_fetch(store: Store) -> None:
    file = pinned_file(store, CONTENT)
    lose(store, leaves(store, file)[0])
    put_file(store, CONTENT)
    report = repair(store, ["http://127.0.0.1:1"])
    assert (report.repaired, report.failed) == ((), ())
    store.gc()
    assert verify(store).ok


def test_a_structured_block_is_fetched_with_what_it_links_to(store: Store, source: Store) -> None:
    leaf = put_value(source, DAG_CBOR, {"leaf": 1})
    root = put_value(source, DAG_CBOR, {"to": leaf})
    for cid in (root, leaf):
        put_value(store, DAG_CBOR, {"leaf": 1} if cid == leaf else {"to": leaf})
    store.pin(root, PinMode.RECURSIVE)
    lose(store, root)
    lose(store, leaf)
    with gateway(Honest(source)) as url:
        assert set(repair(store, [url]).repaired) == {root, leaf}
    assert verify(store).ok


def test_redirects_are_followed_to_http_alone(source: Store) -> None:
    file = put_file(source, b"x")
    with gateway(Honest(source)) as target:

        def elsewhere(request: BaseHTTPRequestHandler) -> None:
            send(request, b"", 302, Location=target + request.path)

        with gateway(elsewhere) as url, TrustlessClient([url]) as client:
            assert client.block(file).data == b"x"

    def to_file(request: BaseHTTPRequestHandler) -> None:
        send(request, b"", 302, Location="file:///etc/passwd")

    def round_and_round(request: BaseHTTPRequestHandler) -> None:
        send(request, b"", 302, Location=request.path)

    for answer in (to_file, round_and_round):
        with gateway(answer) as url, TrustlessClient([url]) as client:
            with pytest.raises(FetchFailed, match="redirect"):
                client.block(file)


def test_a_compressed_answer_is_refused(source: Store) -> None:
    def compressed(request: BaseHTTPRequestHandler) -> None:
        send(request, b"x", Content_Encoding="gzip")

    with gateway(compressed) as url, TrustlessClient([url]) as client:
        with pytest.raises(FetchFailed, match="compressed"):
            client.block(put_file(source, b"x"))


def test_a_gateway_that_never_answers_is_asked_three_times(source: Store) -> None:
    asked = []

    def hang_up(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        request.close_connection = True

    with gateway(hang_up) as url, TrustlessClient([url], timeout_s=1) as client:
        for number in range(6):
            with pytest.raises(FetchFailed):
                client.block(CID.of(b"%d" % number))
    assert len(asked) == 3


@pytest.mark.parametrize(
    "url", ["", "gateway.example", "file:///etc", "ftp://gateway.example", "http://", "http://x:port"]
)
def test_an_address_that_is_none_is_refused(store: Store, url: str) -> None:
    with pytest.raises(InvalidInput):
        repair(store, [url])


def test_no_address_at_all_is_refused(store: Store) -> None:
    with pytest.raises(InvalidInput):
        repair(store, [])
