from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pinfold.core.cid import CID
from pinfold.core.errors import BlockNotFound, StoreFull
from pinfold.core.pin import PinMode
from pinfold.store import Store
from pinfold.store.catalogue import Txn
from pinfold.store.pins import NewPin
from pinfold.store.shared_pins import SharedPins
from tests.support.dags import noise
from tests.support.stores import leaves, lose, put_file


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path)
    yield opened
    opened.close()


def names(store: Store) -> dict[CID, str]:
    return {cid: row.name for cid, row in store.pins.rows()}


def test_pins_of_many_threads_are_all_made_in_fewer_transactions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    cids = [put_file(store, noise(number, 3000)) for number in range(40)]
    shared, put = SharedPins(store), store.pins.put
    calls: list[int] = []

    def counted(txn: Txn, pins: list[NewPin]) -> None:
        calls.append(len(pins))
        put(txn, pins)

    monkeypatch.setattr(store.pins, "put", counted)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda cid: shared.pin(cid, "ours"), cids))
    assert names(store) == dict.fromkeys(cids, "ours")
    assert sum(calls) == 40
    assert len(calls) < 40


def test_a_pin_that_is_there_stays_as_it_is_and_a_direct_one_becomes_recursive(store: Store) -> None:
    by_hand, direct = put_file(store, noise(1, 3000)), put_file(store, noise(2, 3000))
    store.pin(by_hand, PinMode.RECURSIVE, name="by hand")
    store.pin(direct, PinMode.DIRECT, name="root only")
    for cid in (by_hand, direct):
        SharedPins(store).pin(cid, "ours")
    assert names(store) == {by_hand: "by hand", direct: "root only"}
    assert {row.mode for _, row in store.pins.rows()} == {PinMode.RECURSIVE}


def test_what_is_not_complete_is_not_pinned(store: Store) -> None:
    cid = put_file(store, noise(1, 3000))
    lose(store, leaves(store, cid)[0])
    with pytest.raises(BlockNotFound):
        SharedPins(store).pin(cid, "ours")
    assert names(store) == {}


def test_a_transaction_that_fails_fails_for_one_and_the_others_try_for_themselves(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    cids = [put_file(store, noise(number, 3000)) for number in range(8)]
    shared, put, failures = SharedPins(store), store.pins.put, [1]
    gate = threading.Barrier(len(cids))

    def flaky(txn: Txn, pins: list[NewPin]) -> None:
        if failures:
            failures.pop()
            raise StoreFull("no room")
        put(txn, pins)

    monkeypatch.setattr(store.pins, "put", flaky)

    def pin(cid: CID) -> bool:
        gate.wait()
        try:
            shared.pin(cid, "ours")
        except StoreFull:
            return False
        return True

    with ThreadPoolExecutor(len(cids)) as threads:
        made = list(threads.map(pin, cids))
    assert made.count(False) == 1
    assert names(store) == {cid: "ours" for cid, is_made in zip(cids, made, strict=True) if is_made}


def test_what_a_gc_swept_after_the_walk_is_looked_for_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    cid = put_file(store, noise(1, 3000))
    shared = SharedPins(store)
    walk, walks = shared._walk, []

    def walk_then_sweep(cid: CID, name: str) -> object:
        found = walk(cid, name)
        walks.append(found)
        if len(walks) == 1:
            store.gc()
        return found

    monkeypatch.setattr(shared, "_walk", walk_then_sweep)
    with pytest.raises(BlockNotFound):
        shared.pin(cid, "ours")
    assert names(store) == {}
