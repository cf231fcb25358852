"""Who runs on a data folder: one `pinfold up` alone, or any number of processes of one role each.

1. ``up`` takes the folder exclusively and keeps it so.
2. A process of one role takes it exclusively where it can: then it is the first, and may put right what killed
   processes left.  Then it shares the folder with others of its kind.
3. One that is not the first waits until the first is done with that, and shares at once.

The system lets go of the folder when a process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pinfold.core.errors import StoreInUse, StoreUnreadable
from pinfold.store.private import make_folder

_LOCK: Final = Path("locks") / "up"  # beside the store's own
_PATIENCE_S: Final = 60.0  # for the first one's tidying; a large pinset is compared in seconds
_LOOK_AGAIN_S: Final = 0.02
_ALONE: Final = "alone"
_HINT: Final = "Use that one, stop it first, or choose another --data-dir."


class Hold:
    """A data folder that is held.  ``is_first``: nobody else runs on it."""

    def __init__(self, data_dir: Path, handle: int, *, is_first: bool) -> None:
        self._data_dir = data_dir
        self._handle = handle
        self.is_first = is_first

    def share(self) -> None:
        """Let others run beside this one.

        Raises:  StoreInUse, where an ``up`` came in between: one kind of lock does not become the other at once.
        """
        end = time.monotonic() + _PATIENCE_S
        while not _lock(self._handle, fcntl.LOCK_SH):
            if _ALONE in _read(self._handle) or time.monotonic() > end:
                raise _in_use(self._data_dir, self._handle)
            time.sleep(_LOOK_AGAIN_S)


@contextmanager
def alone(data_dir: Path) -> Iterator[Hold]:
    """Hold the data folder for this process only.

    Raises:  StoreInUse, where any other process has it; StoreUnreadable.
    """
    with _opened(data_dir) as handle:
        if not _lock(handle, fcntl.LOCK_EX):
            raise _in_use(data_dir, handle)
        _write(handle, f"{os.getpid()} {_ALONE}")
        yield Hold(data_dir, handle, is_first=True)


@contextmanager
def beside_others(data_dir: Path) -> Iterator[Hold]:
    """Hold the data folder as one of several; where ``is_first``, others wait until ``share`` is called.

    Raises:  StoreInUse, where `pinfold up` has it; StoreUnreadable.
    """
    with _opened(data_dir) as handle:
        if _lock(handle, fcntl.LOCK_EX):
            _write(handle, f"{os.getpid()}")
            yield Hold(data_dir, handle, is_first=True)
            return
        end = time.monotonic() + _PATIENCE_S
        while not _lock(handle, fcntl.LOCK_SH):
            if _ALONE in _read(handle) or time.monotonic() > end:
                raise _in_use(data_dir, handle)
            time.sleep(_LOOK_AGAIN_S)
        yield Hold(data_dir, handle, is_first=False)


@contextmanager
def _opened(data_dir: Path) -> Iterator[int]:
    try:
        make_folder(data_dir)
        make_folder((data_dir / _LOCK).parent)
        handle = os.open(data_dir / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise StoreUnreadable(f"{data_dir} cannot be used as a data folder: {exc.strerror}") from exc
    try:
        yield handle
    finally:
        os.close(handle)


def _lock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(handle: int, text: str) -> None:
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{text}\n".encode("ascii"), 0)


def _read(handle: int) -> str:
    return os.pread(handle, 64, 0).decode("ascii", "replace").strip()


def _in_use(data_dir: Path, handle: int) -> StoreInUse:
    number, _, how = _read(handle).partition(" ")
    if how == _ALONE:
        return StoreInUse(f"`pinfold up` runs on {data_dir} already (process {number})", hint=_HINT)
    return StoreInUse(f"`pinfold api`, `worker` or `gateway` runs on {data_dir} already", hint=_HINT)
