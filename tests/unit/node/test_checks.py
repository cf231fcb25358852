"""The whole repository checked: each kind of damage is told as what it is, and nothing else is."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from pinfold.core.cid import CID
from pinfold.core.errors import PinfoldError
from pinfold.core.pin import PinMode
from pinfold.node.checks import verify
from pinfold.node.model import Problem, ProblemKind, Progress
from pinfold.store import Store, segments
from pinfold.store.commit import BLOCK_BYTES
from pinfold.store.journal import Journal
from pinfold.store.layout import SEGMENT_HEADER
from pinfold.store.pins import NewPin
from pinfold.store.rows import SegmentState
from pinfold.unixfs.profile import profile
from tests.support.dags import noise
from tests.support.stores import damage, leaves, lose, pinned_file, put_file, put_tree

A, B = b"a" * 1024, b"b" * 1024


def problems(store: Store) -> list[Problem]:
    return list(verify(store).problems)


def only_problem(store: Store, kind: ProblemKind) -> Problem:
    found = problems(store)
    assert [problem.kind for problem in found] == [kind], found
    return found[0]


def segment_path(store: Store) -> Path:
    (number,) = store.layout.segment_numbers()
    return Path(store.layout.segment(number))


def seal(store: Store) -> None:
    """Make every segment one that no writer takes."""
    with store.catalogue.write() as txn:
        for number, row in store.catalogue.all_segments(txn).items():
            store.catalogue.put_segment(txn, number, row._replace(state=SegmentState.SEALED))


def test_an_empty_store_is_whole(store: Store) -> None:
    report = verify(store)
    assert (report.ok, report.blocks, report.bytes, report.pins) == (True, 0, 0, 0)


def test_a_store_in_use_is_whole(store: Store) -> None:
    file = pinned_file(store, A + B)
    put_tree(store, {"old": A}, profile("unixfs-v0-2015"))
    gone = pinned_file(store, noise(1, 9000))
    store.pin(put_file(store, B), PinMode.DIRECT, name="direct")
    store.unpin([gone])
    store.gc()
    store.pin(file, PinMode.RECURSIVE, name="renamed")
    report = verify(store)
    assert report.problems == ()
    numbers = store.numbers()
    assert (report.blocks, report.bytes, report.pins) == (numbers.blocks, numbers.block_bytes, numbers.pins)


def test_progress_ends_with_everything(store: Store) -> None:
    pinned_file(store, A + B)
    seen: list[Progress] = []
    report = verify(store, seen.append)
    assert seen[-1] == Progress(report.bytes, report.bytes, 3, 3)


def test_a_damaged_block_is_told_with_the_pins_that_need_it(store: Store) -> None:
    one, two = pinned_file(store, A + B), pinned_file(store, A + A)
    pinned_file(store, B)
    leaf = leaves(store, one)[0]
    damage(store, leaf, 1000)
    found = only_problem(store, ProblemKind.CORRUPT_BLOCK)
    assert found.cid == leaf
    assert set(found.pins) == {one, two}


def test_a_damaged_block_that_no_pin_needs_is_told(store: Store) -> None:
    loose = put_file(store, b"loose")
    damage(store, loose)
    assert only_problem(store, ProblemKind.CORRUPT_BLOCK) == (
        ProblemKind.CORRUPT_BLOCK,
        only_problem(store, ProblemKind.CORRUPT_BLOCK).message,
        loose,
        (),
    )


def test_a_damaged_record_head_is_told(store: Store) -> None:
    file = pinned_file(store, b"x")
    damage(store, file, -1)
    assert only_problem(store, ProblemKind.CORRUPT_BLOCK).cid == file


def test_a_missing_block_is_told_with_the_pins_that_reach_it(store: Store) -> None:
    one, two = pinned_file(store, A + B), pinned_file(store, A + A)
    leaf = leaves(store, one)[0]
    lose(store, leaf)
    found = only_problem(store, ProblemKind.MISSING_BLOCK)
    assert found.cid == leaf
    assert set(found.pins) == {one, two}


def test_a_pin_that_is_marked_incomplete_is_told_by_what_it_lacks(store: Store) -> None:
    file = put_file(store, A + B)
    leaf = leaves(store, file)[1]
    lose(store, leaf)
    with store.catalogue.write() as txn:
        store.pins.put(txn, [NewPin(file, PinMode.RECURSIVE, "", 0.0, "", store.walk(file, max_missing=9).ids, False)])
    assert only_problem(store, ProblemKind.MISSING_BLOCK).cid == leaf


def test_a_pin_whose_blocks_came_back_is_told(store: Store) -> None:
    file = pinned_file(store, A + B)
    lose(store, leaves(store, file)[0])
    put_file(store, A)
    assert only_problem(store, ProblemKind.BAD_CATALOGUE).cid == file


def test_a_missing_segment_is_told_once_beside_its_blocks(store: Store) -> None:
    pinned_file(store, A + B)
    seal(store)
    os.unlink(segment_path(store))
    store.files.close()
    kinds = [problem.kind for problem in problems(store)]
    assert sorted(kinds) == [ProblemKind.BAD_SEGMENT] + [ProblemKind.CORRUPT_BLOCK] * 3


def test_a_segment_that_was_cut_off_is_told(store: Store) -> None:
    file = pinned_file(store, b"x" * 500)
    path = segment_path(store)
    os.truncate(path, path.stat().st_size - 100)
    found = problems(store)
    assert [problem.kind for problem in found] == [ProblemKind.CORRUPT_BLOCK, ProblemKind.BAD_SEGMENT]
    assert found[0].cid == file


def test_a_segment_without_its_header_is_told(store: Store) -> None:
    pinned_file(store, b"x")
    with open(segment_path(store), "r+b") as stream:
        stream.write(b"\0" * len(SEGMENT_HEADER))
    assert "header" in only_problem(store, ProblemKind.BAD_SEGMENT).message


def test_bytes_behind_the_last_record_of_a_sealed_segment_are_told(store: Store) -> None:
    pinned_file(store, b"x")
    seal(store)
    with open(segment_path(store), "ab") as stream:
        stream.write(b"who wrote this?")
    assert "15 bytes behind" in only_problem(store, ProblemKind.BAD_SEGMENT).message


def test_what_a_dead_writer_left_is_settled_and_no_problem(store: Store) -> None:
    pinned_file(store, b"x")
    with open(segment_path(store), "ab") as stream:
        stream.write(b"\xff\xff\x01torn")
    assert problems(store) == []


def test_a_writer_at_work_is_no_problem(store: Store) -> None:
    pinned_file(store, b"x")
    (number,) = store.layout.segment_numbers()
    held = segments.try_hold(store.layout, number)
    assert held is not None
    try:
        held.write([b"not catalogued yet"], 18)
        assert problems(store) == []
    finally:
        held.truncate(held.end - 18)
        held.release()


def test_an_unreadable_line_of_the_journal_is_told(store: Store) -> None:
    pinned_file(store, b"x")
    pinned_file(store, b"y")
    with open(store.layout.journal, "r+b") as stream:
        stream.write(b"?")
    found = problems(store)
    assert {problem.kind for problem in found} == {ProblemKind.BAD_JOURNAL}
    assert "byte 0" in found[0].message


def test_a_journal_that_is_gone_or_cut_off_is_told(store: Store) -> None:
    pinned_file(store, b"x")
    size = store.layout.journal.stat().st_size
    os.truncate(store.layout.journal, size - 5)
    assert {problem.kind for problem in problems(store)} == {ProblemKind.BAD_JOURNAL}
    os.unlink(store.layout.journal)
    assert "missing" in only_problem(store, ProblemKind.BAD_JOURNAL).message


def test_a_journal_that_says_another_pinset_is_told(store: Store) -> None:
    kept, gone = pinned_file(store, b"x", "mine"), pinned_file(store, b"y")
    journal = Journal(store.layout)
    entries = [entry for _, entry in journal.read() if entry is not None]
    other = CID.of(b"other")
    changed = [entries[0]._replace(name="yours"), entries[1]._replace(cid=other)]
    size = journal.rewrite(changed)
    with store.catalogue.write() as txn:
        store.catalogue.put_number(txn, b"journal_end", size)
    found = problems(store)
    assert {problem.kind for problem in found} == {ProblemKind.BAD_JOURNAL}
    assert {problem.cid for problem in found} == {kept, gone, other}


def test_a_journal_line_of_a_process_that_died_is_no_problem(store: Store) -> None:
    pinned_file(store, b"x")
    with open(store.layout.journal, "ab") as stream:
        stream.write(b'["+","torn')
    assert problems(store) == []


def test_counters_that_do_not_add_up_are_told(store: Store) -> None:
    pinned_file(store, A + B)
    catalogue = store.catalogue
    with catalogue.write() as txn:
        catalogue.put_number(txn, BLOCK_BYTES, 7)
        (number,) = catalogue.all_segments(txn)
        row = catalogue.segment(txn, number)
        assert row is not None
        catalogue.put_segment(txn, number, row._replace(live=row.live - 1))
    found = problems(store)
    assert [problem.kind for problem in found] == [ProblemKind.BAD_CATALOGUE] * 2


def test_many_blocks_are_hashed_by_children_with_the_same_outcome(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinfold.store.verify._FORK_ROWS", 1)
    monkeypatch.setattr("pinfold.store.verify._SLICE_ROWS", 7)
    monkeypatch.setattr("pinfold.store.verify._may_fork", lambda: True)
    monkeypatch.setattr("pinfold.store.verify.os.cpu_count", lambda: 3)
    file = pinned_file(store, noise(1, 60_000))
    wanted = {leaves(store, file)[index] for index in (0, 20, 58)}
    for cid in wanted:
        damage(store, cid)
    assert {problem.cid for problem in problems(store)} == wanted


def test_large_blocks_are_hashed_by_threads_with_the_same_outcome(store: Store) -> None:
    file = put_file(store, noise(1, 3_000_000), profile("unixfs-v1-2025", chunker="size-262144"))
    store.pin(file, PinMode.RECURSIVE)
    wanted = {leaves(store, file)[index] for index in (0, 7)}
    for cid in wanted:
        damage(store, cid)
    assert {problem.cid for problem in problems(store)} == wanted


def test_adds_and_gc_beside_a_check_are_no_problem(store: Store) -> None:
    kept = pinned_file(store, noise(0, 20_000))
    failures: list[Exception] = []

    def busy() -> None:
        try:
            for number in range(1, 16):
                cid = pinned_file(store, noise(number, 20_000))
                store.unpin([cid])
                store.gc()
        except (PinfoldError, OSError) as exc:
            failures.append(exc)

    worker = threading.Thread(target=busy)
    worker.start()
    found: list[Problem] = []
    checks = 0
    while worker.is_alive():
        found += problems(store)
        checks += 1
    worker.join()
    assert (found, failures) == ([], [])
    assert checks
    assert store.walk(kept).missing == []
