"""Pins listed, removed, moved and checked."""

from __future__ import annotations

import pytest

from pinfold.core.cid import CID
from pinfold.core.errors import BlockNotFound, PinConflict, PinNotFound
from pinfold.core.pin import PinMode
from pinfold.node.model import ProblemKind
from pinfold.node.pinning import pin_ls, pin_rm, pin_update, pin_verify
from pinfold.store import Store
from pinfold.store.journal import Journal
from pinfold.unixfs.profile import profile
from tests.support.stores import damage, leaves, lose, pinned_file, put_file, put_tree

A, B = b"a" * 1024, b"b" * 1024


def listed(store: Store, **options: object) -> dict[CID, PinMode]:
    return {pin.cid: pin.mode for pin in pin_ls(store, **options)}  # type: ignore[arg-type]


def test_every_block_below_a_recursive_pin_is_listed_as_indirect(store: Store) -> None:
    file, direct = pinned_file(store, A + B), put_tree(store, {"x": b"x"})
    store.pin(direct, PinMode.DIRECT)
    below = dict.fromkeys(leaves(store, file), PinMode.INDIRECT)
    assert listed(store) == {file: PinMode.RECURSIVE, direct: PinMode.DIRECT} | below
    assert listed(store, mode=PinMode.INDIRECT) == below
    assert listed(store, mode=PinMode.RECURSIVE) == {file: PinMode.RECURSIVE}
    assert listed(store, mode=PinMode.DIRECT) == {direct: PinMode.DIRECT}


def test_a_root_below_another_root_is_no_indirect_pin(store: Store) -> None:
    outer, inner = put_tree(store, {"x": {"y": b"y"}}), put_tree(store, {"y": b"y"})
    for cid in (outer, inner):
        store.pin(cid, PinMode.RECURSIVE)
    assert listed(store, mode=PinMode.INDIRECT) == {put_file(store, b"y"): PinMode.INDIRECT}


def test_pins_are_found_by_a_part_of_their_name(store: Store) -> None:
    one, two = pinned_file(store, A + B, "holiday trip"), pinned_file(store, b"x", "work trip")
    assert set(listed(store, name="trip")) == {one, two}
    assert set(listed(store, name="holiday")) == {one}
    assert listed(store, name="absent") == {}


def test_asking_for_cids_says_how_each_is_pinned(store: Store) -> None:
    file = pinned_file(store, A + B, "mine")
    leaf = leaves(store, file)[0]
    root, below = pin_ls(store, cids=[file, leaf])
    assert (root.mode, root.name, root.blocks, root.via) == (PinMode.RECURSIVE, "mine", 3, None)
    assert (below.cid, below.mode, below.via) == (leaf, PinMode.INDIRECT, file)


def test_a_cid_is_found_in_either_version(store: Store) -> None:
    cid = put_file(store, A + B, profile("unixfs-v0-2015"))
    store.pin(cid, PinMode.RECURSIVE)
    assert [pin.cid for pin in pin_ls(store, cids=[cid, cid.to_v1()])] == [cid, cid.to_v1()]


def test_asking_for_what_is_not_pinned_fails(store: Store) -> None:
    file, loose = pinned_file(store, A, "mine"), put_file(store, b"loose")
    for options in ({"cids": [loose]}, {"cids": [file], "mode": PinMode.DIRECT}, {"cids": [file], "name": "other"}):
        with pytest.raises(PinNotFound):
            listed(store, **options)
    with pytest.raises(PinNotFound):
        listed(store, cids=[CID.of(b"absent")])


def test_unpinning_follows_the_kind_of_pin(store: Store) -> None:
    file = pinned_file(store, A + B)
    with pytest.raises(PinConflict):
        pin_rm(store, file, recursive=False)
    with pytest.raises(PinNotFound, match=f"kept by the pin of {file}"):
        pin_rm(store, leaves(store, file)[0])
    assert pin_rm(store, file) == file
    with pytest.raises(PinNotFound):
        pin_rm(store, file)
    store.pin(file, PinMode.DIRECT)
    assert pin_rm(store, file, recursive=False) == file
    store.pin(file, PinMode.DIRECT)
    assert pin_rm(store, file) == file
    assert listed(store) == {}


def test_a_pin_moves_to_another_root_with_its_name(store: Store) -> None:
    old, new = pinned_file(store, A + B, "site"), put_file(store, B + A)
    assert pin_update(store, old, new) == (old, new)
    assert [(pin.cid, pin.name) for pin in pin_ls(store, mode=PinMode.RECURSIVE)] == [(new, "site")]
    store.gc()
    assert pin_verify(store, new).ok
    with pytest.raises(BlockNotFound):
        store.read(old.multihash)


def test_a_moved_pin_can_leave_the_old_one(store: Store) -> None:
    old, new = pinned_file(store, A + B), put_file(store, B + A)
    pin_update(store, old, new, unpin=False)
    assert set(listed(store, mode=PinMode.RECURSIVE)) == {old, new}
    assert pin_update(store, old, old) == (old, old)
    assert set(listed(store, mode=PinMode.RECURSIVE)) == {old, new}


def test_a_pin_that_cannot_move_stays(store: Store) -> None:
    old, new = pinned_file(store, A + B), put_file(store, B + B + A)
    lose(store, leaves(store, put_file(store, B + A))[0])
    with pytest.raises(BlockNotFound):
        pin_update(store, old, new)
    with pytest.raises(PinNotFound):
        pin_update(store, new, old)
    assert set(listed(store, mode=PinMode.RECURSIVE)) == {old}


def test_a_moved_pin_is_one_piece_of_the_journal(store: Store) -> None:
    old, new = pinned_file(store, A), put_file(store, B)
    pin_update(store, old, new)
    entries = [entry for _, entry in Journal(store.layout).read()][-2:]
    assert [(entry.cid, entry.mode) for entry in entries if entry] == [(new, PinMode.RECURSIVE), (old, None)]


def test_a_sound_pin_verifies(store: Store) -> None:
    pinned_file(store, b"another")
    file = pinned_file(store, A + B)
    report = pin_verify(store, file)
    assert (report.ok, report.blocks, report.pins) == (True, 3, 1)
    assert report.bytes == 2048 + len(store.read(file.multihash))


def test_a_pin_is_verified_by_its_own_blocks_alone(store: Store) -> None:
    damage(store, pinned_file(store, b"another"))
    assert pin_verify(store, pinned_file(store, A + B)).ok


def test_damaged_and_missing_blocks_of_a_pin_are_named(store: Store) -> None:
    file = pinned_file(store, A + B)
    first, second = leaves(store, file)
    damage(store, first, 77)
    lose(store, second)
    problems = pin_verify(store, file).problems
    assert {(problem.kind, problem.cid, problem.pins) for problem in problems} == {
        (ProblemKind.CORRUPT_BLOCK, first, (file,)),
        (ProblemKind.MISSING_BLOCK, second, (file,)),
    }


def test_blocks_below_a_damaged_one_are_checked_too(store: Store) -> None:
    file = pinned_file(store, A + B)
    leaf = leaves(store, file)[0]
    damage(store, leaf)
    damage(store, file, 5)
    report = pin_verify(store, file)
    assert {problem.cid for problem in report.problems} == {file, leaf}
    assert report.blocks == 3


def test_a_direct_pin_is_verified_by_its_root(store: Store) -> None:
    file = put_file(store, A + B)
    store.pin(file, PinMode.DIRECT)
    lose(store, leaves(store, file)[0])
    report = pin_verify(store, file)
    assert (report.ok, report.blocks) == (True, 1)


def test_only_pins_are_verified(store: Store) -> None:
    with pytest.raises(PinNotFound):
        pin_verify(store, put_file(store, A))
