"""A disk that loses power: every write of a store is recorded, and data folders are built as a disk could show them.

What was synced is there.  Of what was not, each write may be there, missing, cut short, or there with some of its
sectors zeroed; names that were made, changed or removed since their folder was last synced are there up to any one of
them.  LMDB's own writes cannot be seen from here; it promises that a commit which returned is durable, so the
catalogue is the one of the last commit.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pinfold.store import journal, segments
from pinfold.store.catalogue import Catalogue

SECTOR = 512


class Write(NamedTuple):
    file: int
    offset: int
    data: bytes


class Truncate(NamedTuple):
    file: int
    size: int


class Sync(NamedTuple):
    file: int


class Name(NamedTuple):
    """A name now leads to a file, or to nothing."""

    folder: str
    changes: tuple[tuple[str, int | None], ...]


class SyncFolder(NamedTuple):
    folder: str


class Commit(NamedTuple):
    data: bytes


class Said(NamedTuple):
    """Something that the store's user was told."""

    words: tuple[Any, ...]


class Recorder:
    """Records what happens to the segments and the journal of one data folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log: list[NamedTuple] = []
        self._files: dict[int, int] = {}  # inode -> our number
        self._next = 0
        self._lock = threading.RLock()
        self._real = {name: getattr(os, name) for name in _PATCHED}
        for folder in ("segments", "."):
            for path in sorted((root / folder).iterdir()):
                if path.is_file() and self._concerns(str(path)):
                    self._write(self._file(os.stat(path).st_ino, str(path)), 0, path.read_bytes())
                    self.log.append(Sync(self._files[os.stat(path).st_ino]))
            self.log.append(SyncFolder(str((root / folder).resolve())))
        self._commit()

    def say(self, *words: Any) -> None:
        """Note what was acknowledged, at this point."""
        with self._lock:
            self.log.append(Said(words))

    @contextmanager
    def recording(self, patch: pytest.MonkeyPatch) -> Iterator[None]:
        """Record while this lasts."""
        with patch.context() as inside:
            for name in _PATCHED:
                inside.setattr(os, name, getattr(self, name))
            inside.setattr(segments, "fdatasync", self.fsync)
            inside.setattr(journal, "fdatasync", self.fsync)
            real_write = Catalogue.write

            @contextmanager
            def write(catalogue: Catalogue) -> Iterator[Any]:
                with real_write(catalogue) as txn:
                    yield txn
                self._commit()

            inside.setattr(Catalogue, "write", write)
            yield

    # -- in the place of os's own ----------------------------------------------------------------------------------

    def pwrite(self, fd: int, data: Any, offset: int) -> int:
        return self.pwritev(fd, [data], offset)

    def pwritev(self, fd: int, parts: Any, offset: int) -> int:
        with self._lock:
            written: int = self._real["pwritev"](fd, parts, offset)
            if path := self._path(fd):
                self._write(self._file(os.fstat(fd).st_ino, path), offset, b"".join(parts)[:written])
            return written

    def ftruncate(self, fd: int, size: int) -> None:
        with self._lock:
            self._real["ftruncate"](fd, size)
            if path := self._path(fd):
                self.log.append(Truncate(self._file(os.fstat(fd).st_ino, path), size))

    def truncate(self, path: Any, size: int) -> None:
        fd = os.open(path, os.O_WRONLY)
        try:
            self.ftruncate(fd, size)
        finally:
            os.close(fd)

    def fsync(self, fd: int) -> None:
        with self._lock:
            path = os.readlink(f"/proc/self/fd/{fd}")
            if os.path.isdir(path):
                self.log.append(SyncFolder(path))
            elif self._concerns(path):
                if os.fstat(fd).st_ino not in self._files:  # written by other means than ours
                    self._write(self._file(os.fstat(fd).st_ino, path), 0, Path(path).read_bytes())
                self.log.append(Sync(self._files[os.fstat(fd).st_ino]))

    fdatasync = fsync

    def rename(self, old: Any, new: Any) -> None:
        with self._lock:
            old, new = str(old), str(new)
            if self._concerns(old):
                number = self._file(os.stat(old).st_ino, old)
                self.log.append(Name(_folder(new), ((_name(old), None), (_name(new), number))))
                if os.path.exists(new):
                    self._files.pop(os.stat(new).st_ino, None)
            self._real["rename"](old, new)

    def unlink(self, path: Any, **others: Any) -> None:
        with self._lock:
            inode = os.stat(path).st_ino if os.path.exists(path) else None
            self._real["unlink"](path, **others)
            if self._concerns(str(path)):
                self._files.pop(inode or 0, None)
                self.log.append(Name(_folder(str(path)), ((_name(str(path)), None),)))

    # -- notes -----------------------------------------------------------------------------------------------------

    def _concerns(self, path: str) -> bool:
        return path.endswith(".car") or "pins.journal" in path

    def _path(self, fd: int) -> str:
        path = os.readlink(f"/proc/self/fd/{fd}")
        return path if self._concerns(path) else ""

    def _file(self, inode: int, path: str) -> int:
        number = self._files.get(inode)
        if number is None:
            number = self._files[inode] = self._next
            self._next += 1
            self.log.append(Name(_folder(path), ((_name(path), number),)))
        return number

    def _write(self, file: int, offset: int, data: bytes) -> None:
        self.log.append(Write(file, offset, data))

    def _commit(self) -> None:
        with self._lock:
            self.log.append(Commit((self.root / "catalogue" / "data.mdb").read_bytes()))


_PATCHED = ("pwrite", "pwritev", "ftruncate", "truncate", "fsync", "fdatasync", "rename", "unlink")


def _folder(path: str) -> str:
    return os.path.realpath(os.path.dirname(path))


def _name(path: str) -> str:
    return os.path.basename(path)


def after_the_cut(recorder: Recorder, at: int, chance: random.Random, to: Path) -> list[Said]:
    """Build what a disk could show when power went after ``at`` operations; what had been acknowledged by then."""
    log = recorder.log[:at]
    names = _names(log, chance)
    for folder in ("catalogue", "segments", "sessions", "locks"):
        (to / folder).mkdir(parents=True)
    (to / "VERSION").write_bytes((recorder.root / "VERSION").read_bytes())
    for (folder, name), number in names.items():
        relative = os.path.relpath(folder, os.path.realpath(recorder.root))
        (to / relative / name).write_bytes(_content(log, number, chance))
    commits = [entry for entry in log if isinstance(entry, Commit)]
    (to / "catalogue" / "data.mdb").write_bytes(commits[-1].data)
    return [entry for entry in log if isinstance(entry, Said)]


def _names(log: list[NamedTuple], chance: random.Random) -> dict[tuple[str, str], int]:
    names: dict[tuple[str, str], int] = {}
    for folder in {entry.folder for entry in log if isinstance(entry, Name | SyncFolder)}:
        changes = [entry for entry in log if isinstance(entry, Name | SyncFolder) and entry.folder == folder]
        synced = max((at for at, entry in enumerate(changes) if isinstance(entry, SyncFolder)), default=-1) + 1
        for entry in changes[: chance.randint(synced, len(changes))]:
            if isinstance(entry, Name):
                for name, number in entry.changes:
                    if number is None:
                        names.pop((folder, name), None)
                    else:
                        names[folder, name] = number
    return names


def _content(log: list[NamedTuple], file: int, chance: random.Random) -> bytes:
    changes = [entry for entry in log if isinstance(entry, Write | Truncate | Sync) and entry.file == file]
    synced = max((at for at, entry in enumerate(changes) if isinstance(entry, Sync)), default=-1)
    content = bytearray()
    for at, entry in enumerate(changes):
        if isinstance(entry, Truncate):
            if at < synced or chance.random() < 0.5:
                content = bytearray(bytes(content[: entry.size]).ljust(entry.size, b"\0"))
        elif isinstance(entry, Write):
            data = entry.data if at < synced else _torn(entry, chance)
            if data:
                content.extend(bytes(max(0, entry.offset + len(data) - len(content))))
                content[entry.offset : entry.offset + len(data)] = data
    return bytes(content)


def _torn(entry: Write, chance: random.Random) -> bytes:
    """What is there of a write that was not synced: all, nothing, a part, or all of it with zeroed sectors."""
    kind = chance.randrange(4)
    if kind == 0:
        return entry.data
    if kind == 1:
        return b""
    if kind == 2:
        return entry.data[: chance.randrange(len(entry.data) + 1)]
    data = bytearray(entry.data)
    first = -entry.offset % SECTOR
    for at in range(first - SECTOR, len(data), SECTOR):
        if chance.random() < 0.3:
            begin, end = max(at, 0), min(at + SECTOR, len(data))
            data[begin:end] = bytes(max(0, end - begin))
    return bytes(data)
