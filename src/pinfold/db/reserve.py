"""Room that is held on the disk of an SQLite file, so that something can be deleted when the disk is full.

A delete is a write as well: it is logged, audited and counted, and whoever then unpins the content notes that.  All of
that together needs less than what the log of the database may grow by before it begins anew.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from pinfold.store.private import opener

SIZE_BYTES: Final = 6 << 20  # the log begins anew at 4 MiB
_SPARE_BYTES: Final = 16 << 20  # the last room is for what others do
_EVERY_S: Final = 10.0


class Reserve:
    """One file of ``SIZE_BYTES`` beside the database's; several processes may share it."""

    def __init__(self, file: Path) -> None:
        self._path = file.with_name(f"{file.name}-reserve")
        self._looked = 0.0  # by the monotonic clock
        self.renew()

    def let_go(self) -> bool:
        """Give the room back to the disk; whether it was held."""
        try:
            os.unlink(self._path)
        except OSError:
            return False
        return True

    def renew(self) -> None:
        """Hold the room again where it is not held, once there is some to spare; looks every few seconds at most."""
        now = time.monotonic()
        if self._looked and now - self._looked < _EVERY_S:
            return
        self._looked = now
        with suppress(OSError):  # no room for it now
            if not self._path.exists():
                self._make()

    def _make(self) -> None:
        disk = os.statvfs(self._path.parent)
        if disk.f_bavail * disk.f_frsize < SIZE_BYTES + _SPARE_BYTES:
            return
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            with open(partial, "wb", opener=opener) as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, SIZE_BYTES)
                else:
                    file.write(bytes(SIZE_BYTES))
            os.rename(partial, self._path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
