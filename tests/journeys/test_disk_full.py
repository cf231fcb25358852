"""A disk that is full: said plainly, the store as it was, and room comes back by unpin and gc."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pinfold import Node
from pinfold.core.cid import CID
from pinfold.core.errors import StoreFull
from pinfold.core.pin import PinMode
from tests.support.cli import Pinfold
from tests.support.store_worker import CHUNKED, car_of, content
from tests.support.up import PATIENCE_S, Up

EXIT_STORE_FULL = 81
DISK_BYTES = 48 << 20
MIB = 1 << 20


class SmallDisk:
    """A data folder on a disk of its own that can be filled up."""

    def __init__(self, mount: Path) -> None:
        self.data = mount / "data"
        self._ballast = mount / "ballast"

    def fill(self, *, leave: int = 0) -> None:
        """Take all room but ``leave`` bytes."""
        with open(self._ballast, "ab", buffering=0) as stream:
            free = os.statvfs(self._ballast).f_bavail * os.statvfs(self._ballast).f_frsize
            try:
                while free > leave:
                    stream.write(bytes(min(65536, free - leave)))
                    free = os.statvfs(self._ballast).f_bavail * os.statvfs(self._ballast).f_frsize
            except OSError:
                pass


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small tmpfs, mounted in a namespace where that is what rights allow."""
    mount = tmp_path / "disk"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(mount)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("mounting a small disk takes root; the tests of writes that fail run all the same")
    yield SmallDisk(mount)
    subprocess.run(["umount", str(mount)], check=True)


def test_a_server_on_a_full_disk_is_not_ready_and_deletes_make_room_again(pinfold: Pinfold, disk: SmallDisk) -> None:
    pinfold.data_dir = disk.data
    with Up(pinfold) as up:
        file = up.api.put("/api/v1/files/large", content=content(1, 10 * MIB)).json()["data"]
        pin = up.api.post(f"/api/v1/pins/{file['cid']}", json={}).json()["data"]
        query = {"files": "true", "status": "pinned"}
        until = time.monotonic() + PATIENCE_S  # what a worker cannot note on a full disk is its own for a minute
        while len(up.api.get("/api/v1/pins", params=query).json()["data"]) < 2:
            assert time.monotonic() < until, up.log[-2000:]
            time.sleep(0.05)
        assert up.api.get("/ready").status_code == 200
        disk.fill()
        time.sleep(1.1)  # the answer of a moment ago is given again
        answer = up.api.get("/ready")
        assert (answer.status_code, answer.json()["code"]) == (503, "UNWELL")
        assert set(answer.json()["data"]["checks"].values()) > {"ok"}
        assert answer.json()["data"]["checks"]["disk"] != "ok"
        assert up.api.get("/api/v1/files").json()["data"][0]["id"] == file["id"]
        assert up.api.put("/api/v1/files/more", content=content(2, MIB)).status_code == 507
        assert up.api.delete(f"/api/v1/pins/{pin['id']}").status_code == 200
        assert up.api.delete(f"/api/v1/files/{file['id']}").status_code == 200
        assert up.api.get("/api/v1/files").json()["data"] == []
        until = time.monotonic() + PATIENCE_S
        while file["cid"].encode() in pinfold("pin", "ls", "--type", "recursive").stdout:  # the worker unpins it
            assert time.monotonic() < until, up.log[-2000:]
        pinfold("repo", "gc")
        time.sleep(1.1)
        assert up.api.get("/ready").status_code == 200
        assert up.api.put("/api/v1/files/more", content=content(2, MIB)).status_code == 201


def _state(node: Node) -> tuple[Any, ...]:
    """All that a refused operation must leave as it was."""
    stat = node.repo_stat()
    pins = sorted((str(pin.cid), pin.mode, pin.name) for pin in node.pin_ls() if pin.mode is not PinMode.INDIRECT)
    segments = sorted((path.name, path.stat().st_size) for path in (node.data_dir / "segments").iterdir())
    return stat.blocks, stat.block_bytes, pins, segments


def test_a_refused_add_or_import_leaves_the_store_as_it_was(disk: SmallDisk) -> None:
    with Node(disk.data) as node:
        kept = node.add_bytes(content(1, MIB), CHUNKED)
        disk.fill(leave=3 * MIB)
        before = _state(node)
        with pytest.raises(StoreFull, match="no space left"):
            node.add_bytes(content(2, 10 * MIB), CHUNKED)
        assert _state(node) == before
        with pytest.raises(StoreFull, match="no space left"):
            node.dag_import(io.BytesIO(car_of(3, 15_000)[1]))
        assert _state(node) == before
        disk.fill()
        for size in (1, 5000, MIB):
            with pytest.raises(StoreFull):
                node.add_bytes(content(4, size), CHUNKED)
            assert _state(node) == before
        assert b"".join(node.cat(kept)) == content(1, MIB)
        assert node.verify().ok
    with Node(disk.data) as node:  # what was refused does not come back
        assert _state(node) == before
        assert node.verify().ok


def test_a_refused_pin_leaves_the_pins_as_they_were(disk: SmallDisk) -> None:
    with Node(disk.data) as node:
        cids = [node.add_bytes(content(number, 5000), CHUNKED) for number in range(50)]
        for cid in cids:
            node.pin_rm(cid)
        disk.fill()
        refused = 0
        for cid in cids:
            before = _state(node)
            try:
                node.pin_add(cid)
            except StoreFull:
                refused += 1
                assert _state(node) == before
        assert refused
    with Node(disk.data) as node:
        assert _state(node) == before or not refused
        assert node.verify().ok


def test_unpin_and_gc_work_on_a_full_disk_and_then_add_works(disk: SmallDisk) -> None:
    with Node(disk.data) as node:
        kept = node.add_bytes(content(1, MIB), CHUNKED)
        large = node.add_bytes(content(2, 20 * MIB), CHUNKED)
        disk.fill()
        with pytest.raises(StoreFull):
            node.add_bytes(content(3, 10 * MIB), CHUNKED)
        node.pin_rm(large)
        report = node.gc()
        assert report.freed_bytes > 19 * MIB
        cid = node.add_bytes(content(3, 10 * MIB), CHUNKED)
        assert b"".join(node.cat(cid)) == content(3, 10 * MIB)
        assert b"".join(node.cat(kept)) == content(1, MIB)
        assert node.verify().ok


def test_gc_gives_room_back_where_a_whole_copy_of_what_lives_has_none(disk: SmallDisk) -> None:
    with Node(disk.data) as node:
        cids = [node.add_bytes(content(number, MIB), CHUNKED) for number in range(30)]  # one segment, mixed
        disk.fill()
        dead = cids[::2]
        for cid in dead:
            node.pin_rm(cid)
        node.gc()
        for number, cid in enumerate(cids):
            if cid not in dead:
                assert b"".join(node.cat(cid)) == content(number, MIB)
        node.add_bytes(content(100, 10 * MIB), CHUNKED)
        assert node.verify().ok
    shutil.rmtree(disk.data / "catalogue")
    disk._ballast.unlink()
    report = Node.rebuild(disk.data)
    assert report.pins == 16 and not report.lost_pins


def test_the_command_line_says_so_and_helps_itself(disk: SmallDisk, pinfold: Pinfold) -> None:
    pinfold.data_dir = disk.data
    small = pinfold.write("small", b"x" * 1000)
    large = pinfold.write("large", content(7, 25 * MIB))
    cid = pinfold.add(str(large))
    disk.fill()
    answer = pinfold("add", str(pinfold.write("more", content(8, 5 * MIB))), code=EXIT_STORE_FULL)
    assert "no space left" in answer.err
    for command in (("cat", cid), ("pin", "ls"), ("repo", "stat"), ("ls", cid)):
        pinfold(*command, code=None)
    pinfold("pin", "rm", cid)
    pinfold("repo", "gc")
    pinfold.add(str(small))
    pinfold.add(str(pinfold.work / "more"))
    pinfold("repo", "verify")


def test_many_readers_on_a_full_disk_are_not_ended_by_a_signal(disk: SmallDisk) -> None:
    with Node(disk.data) as node:
        cid = node.add_bytes(content(1, 5000), CHUNKED)
        disk.fill()
        import threading

        together = threading.Barrier(100)
        problems: list[BaseException] = []

        def read() -> None:
            try:
                with node._store.catalogue.read():
                    together.wait(30)
                assert b"".join(node.cat(cid)) == content(1, 5000)
            except BaseException as exc:  # noqa: BLE001 - told below
                problems.append(exc)

        threads = [threading.Thread(target=read) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not problems


# -- without a disk of its own: writes that fail ------------------------------------------------------------------


class FailingDisk:
    """Lets so many writes through, and refuses all others as a full disk does."""

    def __init__(self, patch: pytest.MonkeyPatch, allowed: int) -> None:
        self.left = allowed
        self.refused = 0
        for name in ("pwrite", "pwritev", "write", "fdatasync"):
            patch.setattr(os, name, self._guard(getattr(os, name)))

    def _guard(self, real: Any) -> Any:
        def guarded(fd: int, *args: Any) -> Any:
            if "/data/" in os.readlink(f"/proc/self/fd/{fd}") and "catalogue" not in os.readlink(f"/proc/self/fd/{fd}"):
                self.left -= 1
                if self.left < 0:
                    self.refused += 1
                    raise OSError(28, "No space left on device")
            return real(fd, *args)

        return guarded


@pytest.mark.parametrize("allowed", [0, 1, 2, 3, 5, 8])
def test_any_write_may_fail_and_the_store_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    with Node(tmp_path / "data") as node:
        kept = node.add_bytes(content(1, 100_000), CHUNKED)
        unpinned = node.add_bytes(content(2, 100_000), CHUNKED)
        node.pin_rm(unpinned)
        root, data = car_of(100, 2000)
        both = content(2, 100_000) + content(3, 200_000)  # finds blocks that are here, and brings others
        attempts = (
            lambda: node.add_bytes(both, CHUNKED),
            lambda: node.dag_import(io.BytesIO(data)),
            lambda: node.pin_add(unpinned, name="again"),
            lambda: node.pin_add(kept, name="another name"),
        )
        refused = 0
        for attempt in attempts:
            before = _state(node)
            with monkeypatch.context() as patch:
                disk = FailingDisk(patch, allowed)
                try:
                    attempt()
                except StoreFull:
                    refused += 1
                    assert disk.refused
            if disk.refused:
                assert _state(node) == before
        assert refused or allowed > 3
        assert node.verify().ok
        after = _state(node)
    with Node(tmp_path / "data") as node:
        assert _state(node) == after
        assert isinstance(node.dag_import(io.BytesIO(data)).roots[0], CID) and root
        assert node.verify().ok
