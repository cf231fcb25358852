"""The pin journal: every change of the pinset as one checksummed line, enough to rebuild the pins from.

A line is the JSON of ``[op, cid, mode, name, created_at, profile]`` (``"+"``) or ``[op, cid]`` (``"-"``), a tab, and
the CRC-32 of that JSON in eight hex digits.  A line is synced before the catalogue commits the change, and the
catalogue keeps the length that it has applied.  Lines behind that length come from a process that died between the
two: they are whole or torn, nobody was answered, and ``Pins.recover`` settles them.
"""

from __future__ import annotations

import json
import os
import threading
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pinfold.core.cid import CID
from pinfold.core.errors import PinfoldError
from pinfold.core.pin import PinMode
from pinfold.store.layout import Layout, sync_path
from pinfold.store.private import FILE_MODE, opener
from pinfold.store.segments import disk_error, fdatasync


class JournalEntry(NamedTuple):
    """One change of the pinset; ``mode`` is None where a pin was removed."""

    cid: CID
    mode: PinMode | None
    name: str = ""
    created_at: float = 0.0
    profile: str = ""

    def line(self) -> bytes:
        """The change as one line."""
        if self.mode is None:
            value: list[object] = ["-", str(self.cid)]
        else:
            value = ["+", str(self.cid), self.mode.value, self.name, self.created_at, self.profile]
        text = json.dumps(value, separators=(",", ":")).encode("ascii")
        return b"%s\t%08x\n" % (text, zlib.crc32(text))

    @classmethod
    def parse(cls, line: bytes) -> JournalEntry | None:
        """The change that a line says, or None where the line is torn or damaged."""
        text, _, checksum = line.rstrip(b"\n").rpartition(b"\t")
        if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(text):
            return None
        try:
            value = json.loads(text)
            if value[0] == "-":
                return cls(CID.parse(value[1]), None)
            return cls(CID.parse(value[1]), PinMode(value[2]), str(value[3]), float(value[4]), str(value[5]))
        except (ValueError, LookupError, TypeError, PinfoldError):
            return None


class Journal:
    """The journal file.  Its methods are called with the catalogue's write transaction held, but for ``read``."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._path = layout.journal

    def size(self) -> int:
        """Bytes in the file; 0 where there is none."""
        try:
            return os.stat(self._path).st_size
        except FileNotFoundError:
            return 0

    def append(self, entries: Iterable[JournalEntry], end: int) -> int:
        """Write changes behind byte ``end``, durably, and give the new end.  Raises: StoreFull, with nothing kept."""
        data = b"".join(entry.line() for entry in entries)
        existed = os.path.exists(self._path)
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as exc:
            raise disk_error(exc) from exc
        try:
            os.ftruncate(fd, end)
            view, position = memoryview(data), end
            while view:
                written = os.pwrite(fd, view, position)
                position += written
                view = view[written:]
            fdatasync(fd)
        except OSError as exc:
            os.ftruncate(fd, end)
            raise disk_error(exc) from exc
        finally:
            os.close(fd)
        if not existed:
            sync_path(self._layout.root)
        return end + len(data)

    def read(self, start: int = 0) -> Iterator[tuple[int, JournalEntry | None]]:
        """Every line from byte ``start`` with the offset behind it; None for a line that cannot be read."""
        try:
            stream = open(self._path, "rb")
        except FileNotFoundError:
            return
        with stream:
            stream.seek(start)
            for line in stream:
                start += len(line)
                yield start, JournalEntry.parse(line)

    def cut(self, end: int) -> None:
        """Take back what stands behind byte ``end``: lines whose transaction came to nothing."""
        if self.size() > end:
            os.truncate(self._path, end)

    def rewrite(self, entries: Iterable[JournalEntry]) -> int:
        """Replace the file by one that says just ``entries``, all at once; gives its length.  Raises: StoreFull."""
        return self.replace(self.prepare(entries))

    def prepare(self, entries: Iterable[JournalEntry]) -> Path:
        """A file beside the journal that says just ``entries``, durable.  Raises: StoreFull."""
        partial = self._layout.root / f".pins.journal.{os.getpid()}.{threading.get_ident()}"
        try:
            with open(partial, "wb", opener=opener) as stream:
                for entry in entries:
                    stream.write(entry.line())
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as exc:
            partial.unlink(missing_ok=True)
            raise disk_error(exc) from exc
        return partial

    def replace(self, partial: Path, *, start: int = 0, stop: int = 0) -> int:
        """Put a prepared file in the journal's place, bytes ``start`` to ``stop`` of the old one behind it.

        Gives its length.  Raises: StoreFull, and the journal is as it was.
        """
        try:
            with open(partial, "ab") as stream:
                if stop > start:
                    with open(self._path, "rb") as old:
                        old.seek(start)
                        stream.write(old.read(stop - start))
                    stream.flush()
                    os.fsync(stream.fileno())
                size = stream.tell()
            os.rename(partial, self._path)
            sync_path(self._layout.root)
        except OSError as exc:
            partial.unlink(missing_ok=True)
            raise disk_error(exc) from exc
        return size
