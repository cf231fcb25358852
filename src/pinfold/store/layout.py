"""Where everything lies in a data folder.

DATA/
  VERSION                  the format's number, one line
  locks/major-1            held shared by every process that has the folder open
  locks/gc                 held by the one gc that runs
  segments/00000001.car    CARv1 without roots; blocks appended; sealed at about 256 MiB
  pins.journal             every change of the pinset, one checksummed line each
  sessions/<name>          ids that a running add or import relies on, so that gc spares them
  catalogue/               LMDB: where each block is, what each pin reaches; a cache of all the above
  catalogue/stamp          what data.mdb looked like after the last commit
  reserve                  room that an unpin and a gc may use when the disk is full
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pinfold.core import car
from pinfold.core.errors import StoreNewer, StoreUnreadable
from pinfold.store.private import make_folder, opener, tighten

FORMAT_VERSION: Final = 1
SEGMENT_HEADER: Final = car.encode_header([])
SEAL_BYTES: Final = 1 << 28
"""A segment is sealed when it reaches this: 256 MiB.  Large enough for few files (4,000 a TiB), small enough that what
was added together is mostly collected by removing whole files, and that rewriting one takes a fraction of a second."""


class Layout:
    """The paths of one data folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.version = root / "VERSION"
        self.locks = root / "locks"
        self.segments = root / "segments"
        self.sessions = root / "sessions"
        self.journal = root / "pins.journal"
        self.catalogue = root / "catalogue"
        self.catalogue_data = root / "catalogue" / "data.mdb"
        self.stamp = root / "catalogue" / "stamp"
        self.reserve = root / "reserve"

    def segment(self, number: int) -> str:
        """The path of one segment."""
        return f"{self.segments}/{number:08d}.car"

    def segment_numbers(self) -> list[int]:
        """The numbers of the segment files that exist, ascending."""
        names = os.listdir(self.segments)
        return sorted(int(name[:-4]) for name in names if name.endswith(".car") and name[:-4].isdigit())

    def has_content(self) -> bool:
        """Whether there are segments, or the pins' journal."""
        return self.journal.exists() or (self.segments.is_dir() and bool(self.segment_numbers()))

    def prepare(self, *, create: bool) -> bool:
        """Make sure that this is a data folder of our format; True when it was made just now.

        Raises:  StoreUnreadable, StoreNewer.
        """
        try:
            text = self.version.read_text("ascii")
        except FileNotFoundError:
            return self._create(create)
        except (OSError, UnicodeDecodeError) as exc:
            raise StoreUnreadable(f"cannot read the data folder {self.root}: {_reason(exc)}") from exc
        try:
            number = int(text)
        except ValueError:
            raise StoreUnreadable(f"{self.version} does not say a format version; is {self.root} ours?") from None
        if number > FORMAT_VERSION:
            raise StoreNewer(
                f"{self.root} was written by a newer version (format {number}; this program knows {FORMAT_VERSION})"
            )
        try:
            tighten(self.root)
            for folder in (self.locks, self.sessions):  # empty at rest, and so left out by some backups
                make_folder(folder)
        except OSError as exc:
            raise StoreUnreadable(f"cannot use the data folder {self.root}: {_reason(exc)}") from exc
        return False

    def _create(self, create: bool) -> bool:
        if not create:
            raise StoreUnreadable(f"there is no data folder at {self.root}")
        try:
            if self.root.is_dir():
                strangers = {name for name in os.listdir(self.root) if not name.startswith(".")} - _OURS
                if strangers:
                    raise StoreUnreadable(
                        f"{self.root} is no data folder of ours and not empty (it has {sorted(strangers)[0]!r})",
                        hint="Choose an empty or a new folder with --data-dir.",
                    )
            for folder in (self.root, self.locks, self.segments, self.sessions, self.catalogue):
                make_folder(folder)
            tighten(self.root)  # somebody may have made it for us
            # Others may make the same folder at this moment: a whole file appears, or none.
            partial = self.root / f".VERSION.{os.getpid()}"
            with open(partial, "w", encoding="ascii", opener=opener) as stream:
                stream.write(f"{FORMAT_VERSION}\n")
            sync_path(partial)
            os.rename(partial, self.version)
            sync_path(self.root)
        except OSError as exc:
            raise StoreUnreadable(f"cannot make a data folder at {self.root}: {_reason(exc)}") from exc
        return True


# What may stand in a folder that is being made by somebody else, or that the platform keeps beside the store.
_OURS: Final = {
    "locks", "segments", "sessions", "catalogue", "pins.journal", "reserve", "VERSION", "pinfold.toml",
    "platform.sqlite3", "platform.sqlite3-wal", "platform.sqlite3-shm",
    "platform.sqlite3-reserve", "platform.id", "uploads", "logs",
    "lost+found",
}  # fmt: skip


def sync_path(path: str | Path) -> None:
    """Make a file's bytes, or a folder's names, survive a power cut."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _reason(exc: Exception) -> str:
    return exc.strerror or str(exc) if isinstance(exc, OSError) else str(exc)
