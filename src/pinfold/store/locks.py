"""Advisory locks between processes: who has the folder open, who collects, who writes a segment."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from pinfold.core.errors import StoreInUse
from pinfold.store.layout import FORMAT_VERSION, Layout
from pinfold.store.private import FILE_MODE


class FileLock:
    """One ``flock`` on one file, released with the process at the latest."""

    def __init__(self, path: Path | str) -> None:
        self._path = path
        self._fd = -1

    def acquire(self, *, shared: bool = False, wait: bool = True) -> bool:
        """Take the lock; False when ``wait`` is off and somebody else holds it."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(fd)
            return False
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        return True

    def release(self) -> None:
        """Let go; safe to call twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def open_presence(layout: Layout, *, exclusive: bool = False) -> FileLock:
    """Say that this process has the folder open, and make sure that no other major version has.

    Raises:  StoreInUse; with ``exclusive`` also when any process of our own version has it open.
    """
    own = f"major-{FORMAT_VERSION}"
    lock = FileLock(layout.locks / own)
    if not lock.acquire(shared=not exclusive, wait=False):
        if exclusive:
            raise StoreInUse(f"{layout.root} is in use by another pinfold process")
        raise StoreInUse(f"{layout.root} is being rebuilt by another pinfold process")
    for name in os.listdir(layout.locks):
        if name.startswith("major-") and name != own:
            probe = FileLock(layout.locks / name)
            if not probe.acquire(wait=False):
                lock.release()
                raise StoreInUse(f"another major version of pinfold (format {name[6:]}) runs on {layout.root}")
            probe.release()
    return lock
