"""One `pinfold up` per data folder: others are told who was first."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pinfold.core.errors import StoreInUse, StoreUnreadable

_LOCK: Final = Path("locks") / "up"  # beside the store's own


@contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Hold the data folder for one platform; the system lets go of it when the process ends, however it ends.

    Raises:  StoreInUse, where another process has it; StoreUnreadable.
    """
    try:
        (data_dir / _LOCK).parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(data_dir / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise StoreUnreadable(f"{data_dir} cannot be used as a data folder: {exc.strerror}") from exc
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            first = os.read(handle, 32).decode("ascii", "replace").strip()
            raise StoreInUse(
                f"`pinfold up` runs on {data_dir} already" + (f" (process {first})" if first else ""),
                hint="Use that one, stop it first, or choose another --data-dir.",
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(handle)
