"""A data folder is its owner's alone: folders are made 0700 and files 0600, and those of earlier versions become so."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_OTHERS: Final = 0o077
_FOLDERS: Final = ("segments", "catalogue", "sessions", "locks", "uploads", "logs")
_FILES: Final = (
    "pins.journal", "reserve", "VERSION", "platform.id",
    "platform.sqlite3", "platform.sqlite3-wal", "platform.sqlite3-shm", "platform.sqlite3-reserve",
)  # fmt: skip


def make_folder(path: Path) -> None:
    """Make a folder of ours where it is missing; folders above it get the usual rights."""
    path.mkdir(FOLDER_MODE, parents=True, exist_ok=True)


def opener(path: str, flags: int) -> int:
    """For ``open(…, opener=opener)``: a file that is new is its owner's alone, whatever the umask."""
    return os.open(path, flags | os.O_CLOEXEC, FILE_MODE)


def tighten(root: Path) -> None:
    """Take the rights of others from a data folder, as far as it belongs to this user.

    Only what a folder of others' rights holds is looked at, so that a folder that is right costs a few ``stat``.
    """
    for name in _FOLDERS:
        folder = root / name
        if _is_open(folder, stat.S_ISDIR):
            with suppress(OSError):  # it was removed meanwhile, or the file system cannot: nothing depends on it
                _tighten_files(folder, os.listdir(folder))
                folder.chmod(FOLDER_MODE)
    if _is_open(root, stat.S_ISDIR):  # last: if this is broken off, the next start begins again
        with suppress(OSError):
            _tighten_files(root, _FILES)
            root.chmod(FOLDER_MODE)


def _tighten_files(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        path = folder / name
        if _is_open(path, stat.S_ISREG):
            with suppress(OSError):
                path.chmod(FILE_MODE)


def _is_open(path: Path, is_kind: Callable[[int], bool]) -> bool:
    """Whether it is of that kind, ours, and others may do something with it."""
    try:
        found = path.stat()
    except OSError:
        return False
    return is_kind(found.st_mode) and found.st_uid == os.geteuid() and bool(found.st_mode & _OTHERS)
