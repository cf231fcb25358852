"""One at a time per CID, in this process and in all others on the data folder."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from pinfold.core.cid import CID
from pinfold.store.private import FILE_MODE, make_folder

FILE_NAME: Final = "roots"
_FIRST_WAIT_S: Final = 0.002
_LONGEST_WAIT_S: Final = 0.05


class CIDLocks:
    """Keeps "nobody wants it, let go of it" and "it is here, somebody wants it" of one CID from overlapping.

    An upload holds the lock while it makes sure of its pin and writes its rows; the reconciler holds it while it finds
    that nobody wants a CID and unpins it.  Without it, an unpin decided before the rows were there could happen after
    the upload was answered, and a gc at that moment would take acknowledged content.

    Between processes a byte of a file stands for each CID, chosen by a hash so wide that two CIDs never share one in
    practice.  The kernel releases a dead process's locks; it also releases all of a process's when any of its
    descriptors of the file is closed, so a process makes one ``CIDLocks`` and keeps it.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Between processes the lock file lies in ``folder``, which must be a local disk; None is for one process."""
        self._held: dict[CID, tuple[asyncio.Lock, int]] = {}
        self._fd = -1
        if folder is not None:
            make_folder(folder)
            self._fd = os.open(folder / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)

    def close(self) -> None:
        """Let go of the file; safe to call twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @asynccontextmanager
    async def hold(self, cid: CID) -> AsyncIterator[None]:
        """Wait until nobody holds ``cid``, then hold it.  Whoever holds several takes them in one order."""
        cid = cid.to_v1()
        lock, users = self._held.get(cid, (asyncio.Lock(), 0))
        self._held[cid] = (lock, users + 1)
        try:
            async with lock, self._between_processes(cid):
                yield
        finally:
            lock, users = self._held[cid]
            if users == 1:
                del self._held[cid]
            else:
                self._held[cid] = (lock, users - 1)

    @asynccontextmanager
    async def _between_processes(self, cid: CID) -> AsyncIterator[None]:
        if self._fd < 0:
            yield
            return
        place = _place(cid)
        wait_s = _FIRST_WAIT_S
        while not self._try(place):
            await asyncio.sleep(wait_s)  # held for milliseconds, and rarely by two: no thread need wait for it
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        try:
            yield
        finally:
            fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, place)

    def _try(self, place: int) -> bool:
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except BlockingIOError:
            return False
        return True


def _place(cid: CID) -> int:
    """The byte that stands for a CID: 62 bits, as far as offsets of files reach."""
    return int.from_bytes(hashlib.sha256(cid.bytes).digest()[:8], "big") >> 2
