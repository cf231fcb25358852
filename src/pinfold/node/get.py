"""Files and folders out of the store, onto a disk or into an archive.

Whoever made a DAG chose its names, so nothing of it is trusted:

1. A name is one name: not empty, not ``.`` or ``..``, no slash and no NUL in it, and no name twice in one folder.
2. Folders are opened one by one, each in the one above, and never through a symbolic link; so no link, whether it came
   from the DAG or stood there before, leads a later file elsewhere.
3. A file is written under a name of its own and renamed when it is whole; what stood there, a link too, is replaced.
4. Of the mode only the permissions count: nobody gets a set-uid program by fetching a folder.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from pinfold.core.cid import CID
from pinfold.core.content_path import ContentPath
from pinfold.core.errors import Conflict, DagTooDeep, SourceUnreadable, StoreFull, UnsafeName
from pinfold.node.archive import get_archive
from pinfold.node.blocks import Reader, reader
from pinfold.node.cat import cat
from pinfold.node.model import Progress
from pinfold.node.names import PERMISSIONS, entries_of
from pinfold.node.resolver import as_path, resolve_to_cid
from pinfold.store import Store
from pinfold.unixfs.read import Info, inspect

__all__ = ["get", "get_archive"]

_MAX_FOLDERS: Final = 500  # inside each other: one descriptor each, and processes often have 1024
_NO_FOLLOW: Final = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_RDONLY | os.O_CLOEXEC


def get(
    store: Store,
    path: str | CID | ContentPath,
    destination: Path,
    progress: Callable[[Progress], None] | None = None,
) -> int:
    """Write what a path leads to as ``destination`` and give the bytes written.

    A folder that stands there already is written into; files in it are replaced.  Modes and times are restored where
    the DAG has them.  An error on the way leaves what was finished before it.

    Shape:   one piece of a file in memory.
    Raises:  UnsafeName, Conflict where a folder stands in the way of a file or the reverse, StoreFull for the disk of
             ``destination``, SourceUnreadable for whatever else it says, and what reading raises.
    """
    read = reader(store)
    cid = resolve_to_cid(read, as_path(path)).bytes
    with _disk_told(destination):
        info = inspect(cid, read, size_of=read.size_of)
        total = (info.size or 0) if info.kind in ("file", "raw") else 0
        writer = _TreeWriter(store, read, total, progress)
        target = Path(os.path.abspath(destination))
        if target.resolve().is_relative_to(store.layout.root.resolve()):
            raise Conflict(f"{destination} lies in the data folder itself, where nothing is written by hand")
        if info.kind in ("directory", "hamt"):
            target.mkdir(exist_ok=True)
            fd = os.open(target, os.O_DIRECTORY | os.O_RDONLY | os.O_CLOEXEC)  # where to is the person's own choice
            writer.folder(fd, str(destination), cid, info)
        else:
            fd = os.open(target.parent, os.O_DIRECTORY | os.O_RDONLY | os.O_CLOEXEC)
            try:
                writer.leaf(fd, target.name, str(destination), cid, info)
            finally:
                os.close(fd)
        return writer.bytes_done


def _check_replaceable(folder: int, name: str, shown: str) -> None:
    """Refuse to put a file in the place of a device or a pipe, which a rename would do away with."""
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except OSError:  # nothing there, or nothing that can be looked at: writing tells
        return
    if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):
        raise Conflict(f"{shown} is a device or a pipe, which is not replaced", hint="`pinfold cat` writes into one.")


class _Open(NamedTuple):
    """A folder that is being written."""

    fd: int
    shown: str
    entries: Iterator[tuple[bytes, bytes]]
    info: Info


class _TreeWriter:
    """Writes one tree and counts."""

    def __init__(
        self, store: Store, read: Reader, bytes_total: int, progress: Callable[[Progress], None] | None
    ) -> None:
        self._store = store
        self._read = read
        self._total = bytes_total
        self._progress = progress
        self._items = 0
        self.bytes_done = 0

    def folder(self, fd: int, shown: str, cid: bytes, info: Info) -> None:
        """Write a folder into the one that ``fd`` has open, and close it."""
        above = [_Open(fd, shown, entries_of(cid, self._read), info)]
        try:
            while above:
                here = above[-1]
                following = next(here.entries, None)
                if following is None:
                    self._finish_folder(here)
                    os.close(above.pop().fd)
                    continue
                name, cid = following
                text = os.fsdecode(name)
                shown = f"{here.shown}/{text}"
                info = inspect(cid, self._read, size_of=self._read.size_of)
                if info.kind not in ("directory", "hamt"):
                    self.leaf(here.fd, text, shown, cid, info)
                    continue
                if len(above) == _MAX_FOLDERS:
                    raise DagTooDeep(f"{shown} is deeper than {_MAX_FOLDERS} folders")
                above.append(_Open(_subfolder(here.fd, text, shown), shown, entries_of(cid, self._read), info))
        finally:
            for each in above:
                os.close(each.fd)

    def _finish_folder(self, folder: _Open) -> None:
        """Mode and time come last: a folder may be read-only, and every name in it changes its time."""
        if folder.info.mode is not None:
            os.fchmod(folder.fd, folder.info.mode & PERMISSIONS)
        _set_time(folder.fd, folder.info)
        self._count(0, 1)

    def leaf(self, folder: int, name: str, shown: str, cid: bytes, info: Info) -> None:
        """Write a file or a link under a name in an open folder."""
        _check_replaceable(folder, name, shown)
        partial = f".pinfold-{secrets.token_hex(8)}"
        try:
            if info.kind == "symlink":
                target = info.target or b""
                if not target or b"\0" in target:
                    raise UnsafeName(f"{shown} is a link to {os.fsdecode(target)!r}, which no link can lead to")
                os.symlink(target, os.fsencode(partial), dir_fd=folder)
                if info.mtime is not None and os.utime in os.supports_follow_symlinks:
                    with suppress(OverflowError):
                        stamp = _nanoseconds(info.mtime)
                        os.utime(partial, ns=(stamp, stamp), dir_fd=folder, follow_symlinks=False)
            else:
                self._write_file(folder, partial, cid, info)
            try:
                os.rename(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
            except IsADirectoryError:
                raise Conflict(f"{shown} is a folder on the disk: no file can take its place") from None
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(partial, dir_fd=folder)
            raise
        self._count(0, 1)

    def _write_file(self, folder: int, partial: str, cid: bytes, info: Info) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(partial, flags, 0o666, dir_fd=folder)
        try:
            for piece in cat(self._store, cid, 0, None):
                view = memoryview(piece)
                while view:
                    view = view[os.write(fd, view) :]
                self._count(len(piece), 0)
            if info.mode is not None:
                os.fchmod(fd, info.mode & PERMISSIONS)
            _set_time(fd, info)
        finally:
            os.close(fd)

    def _count(self, size: int, items: int) -> None:
        self.bytes_done += size
        self._items += items
        if self._progress is not None:
            self._progress(Progress(self.bytes_done, self._total, self._items, 0))


def _subfolder(above: int, name: str, shown: str) -> int:
    """A folder in an open one, made where it is new, opened without following a link."""
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=above)
    try:
        return os.open(name, _NO_FOLLOW, dir_fd=above)
    except OSError as exc:
        if exc.errno in (errno.ENOTDIR, errno.ELOOP):
            raise Conflict(f"{shown} is a file or a link on the disk: no folder can take its place") from None
        raise


def _set_time(fd: int, info: Info) -> None:
    if info.mtime is not None:
        with suppress(OverflowError):  # a time that no file system can keep
            stamp = _nanoseconds(info.mtime)
            os.utime(fd, ns=(stamp, stamp))


def _nanoseconds(mtime: tuple[int, int]) -> int:
    return mtime[0] * 1_000_000_000 + mtime[1]


@contextmanager
def _disk_told(destination: Path) -> Iterator[None]:
    """What the disk of the destination says, as errors for a person."""
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StoreFull(
                f"no space left on the disk of {destination}",
                hint="Nothing in the data folder was touched; what was written of the content is whole.",
            ) from exc
        if isinstance(exc, NotADirectoryError | FileExistsError):
            raise Conflict(f"{destination}: there is a file where a folder must be") from exc
        raise SourceUnreadable(f"{destination} cannot be written: {exc.strerror or exc}") from exc
