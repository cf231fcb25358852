"""The catalogue, the journal and segments lost or damaged: said plainly, never a wrong answer, and no pin lost."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from pinfold import Node
from pinfold.core.cid import CID
from pinfold.core.errors import CatalogueLost, Corrupt, PinfoldError, StoreError
from pinfold.core.pin import PinMode
from pinfold.node.model import ProblemKind
from tests.support.cli import Pinfold
from tests.support.store_worker import CHUNKED, content

EXIT_CATALOGUE_LOST = 85
FILES = 60
DAMAGES = 90


class Filled:
    """A data folder with pins of every kind, and what is in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[CID, bytes] = {}
        with Node(folder) as node:
            for number in range(FILES):
                data = content(number, 30_000 if number % 7 == 0 else 700)
                self.files[node.add_bytes(data, CHUNKED)] = data
            for number in range(10):
                node.pin_rm(node.add_bytes(content(10_000 + number, 9000), CHUNKED))
            node.block_put(b"direct", pin=True)
            self.pins = _pins(node)
            node.gc()
        self.catalogue = folder / "catalogue"

    def copy(self, to: Path) -> Path:
        """Another folder just like it, as a backup would be."""
        shutil.copytree(self.folder, to)
        return to

    def require_whole(self, node: Node) -> None:
        """Everything that was pinned is pinned and right."""
        assert _pins(node) == self.pins
        for cid, data in self.files.items():
            assert b"".join(node.cat(cid)) == data


def _pins(node: Node) -> set[tuple[str, PinMode, str]]:
    return {(str(pin.cid), pin.mode, pin.name) for pin in node.pin_ls() if pin.mode is not PinMode.INDIRECT}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return Filled(tmp_path_factory.mktemp("filled") / "data")


def _damage(path: Path, chance: random.Random) -> str:
    """Do something to the catalogue's file that no commit does; what it was."""
    size = path.stat().st_size
    kind = chance.choice(("zeros", "random", "page", "bit", "truncated"))
    with open(path, "r+b") as stream:
        if kind == "truncated":
            stream.truncate(chance.randrange(size))
            return kind
        length = {"page": 4096, "bit": 1}.get(kind) or chance.choice((1, 8, 60, 512, 5000, 40_000))
        at = chance.randrange(size)
        if kind == "page":
            at = at // 4096 * 4096
        elif kind == "bit":
            old = os.pread(stream.fileno(), 1, at)
            os.pwrite(stream.fileno(), bytes([old[0] ^ 1 << chance.randrange(8)]), at)
            return f"bit at {at}"
        length = min(length, size - at)
        os.pwrite(stream.fileno(), bytes(length) if kind == "zeros" else chance.randbytes(length), at)
        return f"{kind}: {length} bytes at {at}"


@pytest.mark.parametrize("part", range(3))
def test_damage_of_the_catalogue_is_told_or_harmless(filled: Filled, tmp_path: Path, part: int) -> None:
    told = 0
    data = filled.copy(tmp_path / "data")
    good = (data / "catalogue" / "data.mdb").read_bytes()
    for number in range(part, DAMAGES, 3):
        chance = random.Random(number)
        (data / "catalogue" / "data.mdb").write_bytes(good)
        what = _damage(data / "catalogue" / "data.mdb", chance)
        try:
            with Node(data) as node:  # pages that nobody uses may say anything
                filled.require_whole(node)
                report = node.verify()
                assert report.ok, (what, report.problems)
        except CatalogueLost:
            told += 1
    assert told > DAMAGES // 3 // 5


def test_a_rebuild_after_any_damage_loses_no_pin(filled: Filled, tmp_path: Path) -> None:
    for number in range(12):
        data = filled.copy(tmp_path / str(number))
        for _ in range(5):
            _damage(data / "catalogue" / "data.mdb", random.Random(1000 + number))
        report = Node.rebuild(data)
        assert report.pins == len(filled.pins) and not report.lost_pins and report.torn_bytes == 0
        with Node(data) as node:
            filled.require_whole(node)
            assert node.verify().ok
        shutil.rmtree(data)


def _lose_the_folder(catalogue: Path) -> None:
    shutil.rmtree(catalogue)


def _lose_the_file(catalogue: Path) -> None:
    (catalogue / "data.mdb").unlink()


def _empty_the_file(catalogue: Path) -> None:
    (catalogue / "data.mdb").write_bytes(b"")


def _put_a_new_one_in_its_place(catalogue: Path) -> None:
    with Node(catalogue.parent.with_name("other")):
        pass
    shutil.copy(catalogue.parent.with_name("other") / "catalogue" / "data.mdb", catalogue / "data.mdb")


def _fill_it_with_noise(catalogue: Path) -> None:
    (catalogue / "data.mdb").write_bytes(random.Random(1).randbytes(100_000))


@pytest.mark.parametrize(
    "lose", [_lose_the_folder, _lose_the_file, _empty_the_file, _put_a_new_one_in_its_place, _fill_it_with_noise]
)
def test_a_lost_catalogue_is_told_by_the_next_command_and_made_anew(
    filled: Filled, pinfold: Pinfold, lose: object
) -> None:
    filled.copy(pinfold.data_dir)
    assert callable(lose)
    lose(pinfold.data_dir / "catalogue")
    for command in (("pin", "ls"), ("repo", "stat"), ("cat", str(next(iter(filled.files))))):
        answer = pinfold(*command, code=EXIT_CATALOGUE_LOST)
        assert "catalogue" in answer.err and "repo rebuild" in answer.err
    pinfold("repo", "rebuild")
    pinfold("repo", "verify")
    with Node(pinfold.data_dir) as node:
        filled.require_whole(node)


def test_a_lost_stamp_and_lock_file_are_harmless(filled: Filled, tmp_path: Path) -> None:
    data = filled.copy(tmp_path / "data")
    for name in ("stamp", "lock.mdb"):
        (data / "catalogue" / name).unlink()
    shutil.rmtree(data / "sessions")
    (data / "sessions").mkdir()
    with Node(data) as node:
        filled.require_whole(node)
        assert node.verify().ok


def test_a_lost_journal_is_written_anew_from_the_catalogue(filled: Filled, tmp_path: Path) -> None:
    data = filled.copy(tmp_path / "data")
    with Node(data) as node:
        (data / "pins.journal").unlink()
        assert {problem.kind for problem in node.verify().problems} == {ProblemKind.BAD_JOURNAL}
        filled.require_whole(node)
        node.pin_rm(node.add_bytes(b"the next change"))
        assert node.verify().ok
    shutil.rmtree(data / "catalogue")
    Node.rebuild(data)
    with Node(data) as node:
        filled.require_whole(node)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_cut_journal_is_written_anew_from_the_catalogue(filled: Filled, tmp_path: Path, share: float) -> None:
    data = filled.copy(tmp_path / "data")
    journal = data / "pins.journal"
    os.truncate(journal, int(journal.stat().st_size * share))
    with Node(data) as node:
        filled.require_whole(node)
        node.pin_rm(node.add_bytes(b"the next change"))
        assert node.verify().ok


def test_a_damaged_journal_is_told_and_the_pins_stay(filled: Filled, tmp_path: Path) -> None:
    data = filled.copy(tmp_path / "data")
    with Node(data) as node:
        with open(data / "pins.journal", "r+b") as stream:
            os.pwrite(stream.fileno(), b"XXXXXXXX", 1000)
        assert {problem.kind for problem in node.verify().problems} == {ProblemKind.BAD_JOURNAL}
        filled.require_whole(node)


def test_a_missing_segment_is_told_with_its_blocks_and_pins(filled: Filled, tmp_path: Path) -> None:
    data = filled.copy(tmp_path / "data")
    with Node(data) as node:
        other = node.add_bytes(b"x" * 10)  # in the same segment
        with open(data / "segments" / "00000099.car", "wb"):
            pass
        for path in (data / "segments").glob("*.car"):
            path.unlink()
    with Node(data) as node:
        problems = node.verify().problems
        kinds = {problem.kind for problem in problems}
        assert ProblemKind.BAD_SEGMENT in kinds and ProblemKind.CORRUPT_BLOCK in kinds
        told = {str(pin) for problem in problems for pin in problem.pins}
        assert str(other) in told and {str(cid) for cid in filled.files} <= told
        with pytest.raises(PinfoldError):
            b"".join(node.cat(other))
        fresh = node.add_bytes(b"work goes on")
        assert b"".join(node.cat(fresh)) == b"work goes on"
        node.gc()


def test_a_truncated_segment_is_told_and_the_rest_stays_readable(filled: Filled, tmp_path: Path) -> None:
    data = filled.copy(tmp_path / "data")
    segment = max((data / "segments").glob("*.car"), key=lambda path: path.stat().st_size)
    half = segment.stat().st_size // 2
    os.truncate(segment, half)
    with Node(data) as node:
        report = node.verify()
        bad = {str(pin) for problem in report.problems for pin in problem.pins}
        readable = 0
        for cid, content_ in filled.files.items():
            if str(cid) not in bad:
                assert b"".join(node.cat(cid)) == content_
                readable += 1
        assert 0 < readable < len(filled.files)
        added = node.add_bytes(b"work goes on")
        node.gc()
        assert b"".join(node.cat(added)) == b"work goes on"
    rebuilt = Node.rebuild(data)
    assert {str(cid) for cid in rebuilt.lost_pins} == {text for text in bad if text.startswith("b")}


def test_bytes_changed_in_a_segment_name_the_block_and_its_pin(filled: Filled, tmp_path: Path) -> None:
    chance = random.Random(7)
    data = filled.copy(tmp_path / "data")
    with Node(data) as node:
        for _ in range(30):
            cid = chance.choice(list(filled.files))
            content_ = filled.files[cid]
            segment = next(path for path in (data / "segments").glob("*.car") if content_[:600] in path.read_bytes())
            stored = segment.read_bytes()
            at = stored.index(content_[:600]) + chance.randrange(600)
            with open(segment, "r+b") as stream:
                os.pwrite(stream.fileno(), bytes([stored[at] ^ 0x55]), at)
            problems = node.verify().problems
            assert problems and all(problem.kind is ProblemKind.CORRUPT_BLOCK for problem in problems)
            assert cid in {pin for problem in problems for pin in problem.pins}
            with open(segment, "r+b") as stream:
                os.pwrite(stream.fileno(), stored[at : at + 1], at)
        assert node.verify().ok


def test_garbage_in_the_middle_of_a_segment_costs_only_the_blocks_under_it(filled: Filled, tmp_path: Path) -> None:
    chance = random.Random(11)
    for number in range(15):
        data = filled.copy(tmp_path / str(number))
        segment = max((data / "segments").glob("*.car"), key=lambda path: path.stat().st_size)
        at, length = chance.randrange(100, segment.stat().st_size - 3000), chance.choice((1, 40, 2000))
        with open(segment, "r+b") as stream:
            os.pwrite(stream.fileno(), chance.choice((bytes(length), chance.randbytes(length))), at)
        shutil.rmtree(data / "catalogue")
        report = Node.rebuild(data)
        assert len(report.lost_pins) <= 2 + length // 700
        assert report.pins == len(filled.pins)
        with Node(data) as node:
            for cid, content_ in filled.files.items():
                if cid not in report.lost_pins:
                    assert b"".join(node.cat(cid)) == content_
            assert all(problem.kind is ProblemKind.MISSING_BLOCK for problem in node.verify().problems)
        shutil.rmtree(data)


def test_a_folder_of_a_newer_version_or_in_use_by_another_is_refused(pinfold: Pinfold) -> None:
    pinfold("repo", "stat")
    import fcntl

    with open(pinfold.data_dir / "locks" / "major-2", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        answer = pinfold("repo", "stat", code=None)
        assert answer.code == 83 and "format 2" in answer.err
    pinfold("repo", "stat")
    (pinfold.data_dir / "VERSION").write_text("2\n")
    answer = pinfold("repo", "stat", code=None)
    assert answer.code == 82 and "newer" in answer.err
    assert issubclass(CatalogueLost, StoreError)


def test_content_in_a_segment_that_is_cut_off_is_whole_again_once_it_is_added_again(tmp_path: Path) -> None:
    data = random.Random(1).randbytes(300_000)
    with Node(tmp_path / "data") as node:
        cid = node.add_bytes(data)
    for segment in (tmp_path / "data" / "segments").iterdir():
        os.truncate(segment, 100_000)
    with Node(tmp_path / "data") as node:
        with pytest.raises(Corrupt):
            b"".join(node.cat(cid))
        assert node.add_bytes(data) == cid
        assert b"".join(node.cat(cid)) == data


def test_a_rebuild_without_a_journal_says_that_pins_are_lost(tmp_path: Path) -> None:
    with Node(tmp_path / "data") as node:
        node.add_bytes(b"content")
    (tmp_path / "data" / "pins.journal").unlink()
    report = Node.rebuild(tmp_path / "data")
    assert (report.journal_missing, report.pins, report.blocks) == (True, 0, 1)
