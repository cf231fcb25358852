"""What is to be added, as it lies on this machine: opened, listed, filtered; every refusal says which path and why."""

from __future__ import annotations

import copy
import errno
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pinfold.core.errors import InvalidInput, SourceChanged, SourceNotFound, SourceUnreadable, SymlinkLoop
from pinfold.node.ignore import Ignore
from pinfold.unixfs.build import Metadata

_READ_BYTES = 1 << 20
READ_ONLY = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a pipe in the tree must not hold us up


class Source(NamedTuple):
    """One thing in the tree: its kind, and what it is called inside the tree."""

    path: bytes
    name: bytes
    shown: str
    """The path that people see: the root's name, then the names below it."""
    kind: int
    """``stat.S_IFREG``, ``S_IFDIR`` or ``S_IFLNK``."""


def source_error(exc: OSError, path: bytes | str) -> SourceUnreadable | SourceNotFound:
    """The error that a failed system call on a source is for a person."""
    shown = os.fsdecode(path)
    if exc.errno in (errno.ENOENT, errno.ENOTDIR):
        return SourceNotFound(f"{shown} does not exist")
    if exc.errno == errno.ELOOP:
        return SymlinkLoop(f"{shown}: the symbolic links on the way lead back to themselves")
    return SourceUnreadable(f"{shown} cannot be read: {exc.strerror}")


def root_source(path: str | os.PathLike[str]) -> Source:
    """What a path names; a symbolic link is the link itself.  Raises: SourceNotFound, SourceUnreadable, SymlinkLoop."""
    raw = os.fsencode(path)
    if not raw:
        raise InvalidInput("an empty path names nothing; write . for the folder that you are in")
    try:
        kind = stat.S_IFMT(os.lstat(raw).st_mode)
        name = os.path.basename(raw.rstrip(b"/"))
        if name in (b"", b".", b".."):
            raw = os.path.realpath(raw)
            name = os.path.basename(raw) or b"root"
        elif raw.endswith(b"/") and kind == stat.S_IFLNK:
            kind = stat.S_IFMT(os.stat(raw).st_mode)
    except OSError as exc:
        raise source_error(exc, raw) from exc
    check_kind(kind, raw)
    return Source(raw, name, os.fsdecode(name), kind)


def check_kind(kind: int, path: bytes) -> None:
    """Refuse what is neither file, folder nor link."""
    if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        words = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a device", stat.S_IFCHR: "a device"}
        raise SourceUnreadable(
            f"{os.fsdecode(path)} is {words.get(kind, 'something else')}, which cannot be added",
            hint="Leave it out with --ignore, or add its content from standard input.",
        )


def list_folder(source: Source, keep: Filter) -> list[Source]:
    """What a folder holds, sorted by name.  Raises: SourceUnreadable, SourceNotFound."""
    found = []
    prefix, shown_prefix = source.path.rstrip(b"/") + b"/", source.shown + "/"
    try:
        with os.scandir(source.path) as entries:
            for entry in entries:
                name = entry.name
                shown = shown_prefix + os.fsdecode(name)
                is_folder = entry.is_dir(follow_symlinks=False)
                if not keep.wants(shown, entry, is_folder):
                    continue
                if is_folder:
                    kind = stat.S_IFDIR
                elif entry.is_file(follow_symlinks=False):
                    kind = stat.S_IFREG
                elif entry.is_symlink():
                    kind = stat.S_IFLNK
                else:
                    kind = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
                    check_kind(kind, prefix + name)
                found.append(Source(prefix + name, name, shown, kind))
    except OSError as exc:
        raise source_error(exc, source.path) from exc
    found.sort(key=lambda item: item.name)
    return found


class Filter:
    """Says what of a folder is wanted, and remembers what was left out without being asked for."""

    def __init__(self, hidden: bool, patterns: Sequence[str]) -> None:
        self._hidden = hidden
        self._spec = Ignore(patterns) if patterns else None
        self.hidden_names = 0
        """Names that begin with a dot and were left out; what lies below such a folder is not counted."""
        self.data_folders: list[str] = []
        """Data folders of nodes, which change while they are read and hold secrets."""

    def wants(self, shown: str, entry: os.DirEntry[bytes], is_folder: bool) -> bool:
        """Whether an entry of a folder is wanted; ``shown`` is its path below the root, the root's name first."""
        if not self._hidden and entry.name[:1] == b".":
            self.hidden_names += 1
            return False
        if self._spec is not None and self._spec.leaves_out(os.fsencode(shown.partition("/")[2]), is_folder):
            return False
        if is_folder and _is_data_folder(entry.path):
            self.data_folders.append(shown)
            return False
        return True

    def left_out(self) -> list[str]:
        """A sentence for each kind of things that were left out."""
        said = []
        if self.hidden_names:
            noun = "name that begins" if self.hidden_names == 1 else "names that begin"
            said.append(f"left out {self.hidden_names:,} {noun} with a dot; --hidden adds them")
        said += [f"left out {shown}, which is the data folder of a node" for shown in self.data_folders]
        return said


def _is_data_folder(path: bytes) -> bool:
    return all(os.path.exists(path + name) for name in (b"/VERSION", b"/segments", b"/catalogue"))


def filter_of(hidden: bool, ignore: Sequence[str], ignore_files: Sequence[str]) -> Filter:
    """The filter of these patterns.  Raises: SourceNotFound, SourceUnreadable for a file of patterns."""
    patterns = list(ignore)
    for file in ignore_files:
        try:
            patterns += Path(file).read_bytes().decode("utf-8-sig", "surrogateescape").split("\n")
        except OSError as exc:
            raise source_error(exc, file) from exc
    return Filter(hidden, patterns)


def metadata_of(path: bytes, mode: bool, mtime: bool) -> Metadata | None:
    """The mode and time of a path, as far as they are wanted."""
    if not (mode or mtime):
        return None
    try:
        found = os.lstat(path)
    except OSError as exc:
        raise source_error(exc, path) from exc
    return Metadata(
        mode=stat.S_IMODE(found.st_mode) if mode else None,
        mtime=divmod(found.st_mtime_ns, 1_000_000_000) if mtime else None,
    )


def total_of(sources: Sequence[Source], keep: Filter) -> tuple[int, int]:
    """Bytes and things in all: what a progress bar needs to know before the work, which counts what is left out."""
    keep = copy.deepcopy(keep)
    waiting, size, count = list(sources), 0, 0
    while waiting:
        source = waiting.pop()
        count += 1
        if source.kind == stat.S_IFDIR:
            waiting += list_folder(source, keep)
        elif source.kind == stat.S_IFREG:
            try:
                size += os.lstat(source.path).st_size
            except OSError as exc:
                raise source_error(exc, source.path) from exc
    return size, count


def bounded(fd: int, size: int, path: str) -> Callable[[], bytes]:
    """Reads a file in pieces up to its end.  The call raises SourceChanged once there is more than its size said."""
    done = 0

    def read() -> bytes:
        nonlocal done
        data = os.read(fd, _READ_BYTES)
        done += len(data)
        if done > size:
            raise SourceChanged(f"{path} became longer while it was read: it had {size:,} bytes")
        return data

    return read


def check_unchanged(before: os.stat_result, after: os.stat_result, size: int, path: str) -> None:
    """Make sure that nobody wrote to a file while ``size`` bytes of it were read.  Raises: SourceChanged."""
    if (before.st_size, before.st_mtime_ns, before.st_ino) != (after.st_size, after.st_mtime_ns, after.st_ino):
        raise SourceChanged(f"{path} changed while it was read")
    if size != before.st_size:
        raise SourceChanged(f"{path} has {size:,} bytes where {before.st_size:,} were expected")
