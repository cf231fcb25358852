"""What running adds and imports rely on, so that a gc beside them spares it.

A session that finds a block already stored does not write it again.  Between that look and its pin, a gc could remove
the block.  So the session first writes the block's id into a file of its own here, and then looks a second time;
gc first publishes what it is going to remove, and then reads these files.  Whoever comes second sees the other.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from pyroaring import BitMap

from pinfold.store.layout import Layout
from pinfold.store.private import FILE_MODE
from pinfold.store.segments import disk_error

_PAIR: Final = struct.Struct("<II")
_FORGOTTEN_SECONDS: Final = 3600


class Session:
    """One running add or import; its file appears with the first id and goes with ``close``."""

    def __init__(self, layout: Layout) -> None:
        self._folder = layout.sessions
        self._path = ""
        self._fd = -1

    def protect(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Keep ids (start, count) from being collected until the session is closed.  Raises: StoreFull."""
        rest = b"".join(_PAIR.pack(start, count) for start, count in ranges)
        try:
            if self._fd < 0:
                self._open()
            while rest:  # a disk that fills up takes a part and refuses the rest
                rest = rest[os.write(self._fd, rest) :]
        except OSError as exc:
            raise disk_error(exc) from exc

    def _open(self) -> None:
        # Made under another name and locked before it can be seen: an unlocked session file means a dead process.
        name = f"{os.getpid()}-{os.urandom(6).hex()}"
        partial = f"{self._folder}/.{name}"
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            os.rename(partial, f"{self._folder}/{name}")
        except BaseException:
            os.close(fd)
            raise
        self._path = f"{self._folder}/{name}"
        self._fd = fd

    def close(self) -> None:
        """End the session; safe to call twice."""
        if self._fd >= 0:
            os.unlink(self._path)
            os.close(self._fd)
            self._fd = -1


def protected_ids(layout: Layout) -> BitMap:
    """Every id that a running session relies on; files of dead ones are swept away."""
    found = BitMap()
    for name in os.listdir(layout.sessions):
        try:
            fd = os.open(layout.sessions / name, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            if name.startswith("."):  # not begun yet, or left by a process that was killed at that very moment
                if time.time() - os.fstat(fd).st_mtime > _FORGOTTEN_SECONDS:
                    with suppress(FileNotFoundError):
                        os.unlink(layout.sessions / name)
                continue
            if _is_dead(fd):
                with suppress(FileNotFoundError):  # its owner closed it just now
                    os.unlink(layout.sessions / name)
                continue
            _add_pairs(fd, found)
        finally:
            os.close(fd)
    return found


def _add_pairs(fd: int, found: BitMap) -> None:
    """Add what a session file says; a pair that is not whole yet is not relied on yet."""
    rest = b""
    while data := os.read(fd, 1 << 20):
        data = rest + data
        whole = len(data) // _PAIR.size * _PAIR.size
        for start, count in _PAIR.iter_unpack(data[:whole]):
            found.add_range(start, start + count)
        rest = data[whole:]


def _is_dead(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
