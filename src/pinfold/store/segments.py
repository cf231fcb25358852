"""Segment files: taking one to append to, scanning one, reading from any of them."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pinfold.core import multihash, varint
from pinfold.core.binary_cid import split_cid
from pinfold.core.block import MAX_BLOCK_BYTES
from pinfold.core.errors import InvalidInput, StoreCorrupt, StoreFull
from pinfold.core.multihash import Buffer
from pinfold.core.public_errors import of_system
from pinfold.store.layout import SEGMENT_HEADER, Layout, sync_path
from pinfold.store.private import FILE_MODE
from pinfold.store.rows import tag_of_cid

MAX_RECORD_BYTES: Final = MAX_BLOCK_BYTES + 256  # a block and the longest CID there is
_SCAN_BYTES: Final = 4 << 20
_MAX_OPEN_FILES: Final = 128


def fdatasync(fd: int) -> None:
    """Make what was written to a file survive a power cut."""
    if sys.platform == "darwin":
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)  # its fsync leaves the bytes in the drive's own memory
    else:
        os.fdatasync(fd)


class ScannedRecord(NamedTuple):
    """One whole record of a segment."""

    start: int
    offset: int
    """Where the payload begins."""
    length: int
    tag: int
    multihash: bytes
    sound: bool
    """Whether the bytes match the hash; True as well where nobody asked."""

    @property
    def stop(self) -> int:
        """The byte behind the record."""
        return self.offset + self.length


def scan(fd: int, start: int, stop: int, *, verify: bool) -> Iterator[ScannedRecord]:
    """Every whole record from byte ``start`` on; ends at the first bytes that are none.

    The caller sees by the last record's ``stop`` how far it came.
    """
    position = start
    while position < stop:
        chunk = os.pread(fd, min(max(_SCAN_BYTES, MAX_RECORD_BYTES + 8), stop - position), position)
        view, at = memoryview(chunk), 0
        while at < len(chunk):
            try:
                size, body = varint.decode(chunk, at)
                if size > MAX_RECORD_BYTES or size == 0:
                    return
                if body + size > len(chunk):
                    break
                payload = split_cid(chunk, body)
            except InvalidInput:
                if position + len(chunk) < stop and len(chunk) - at < 256:
                    break  # the record's head lies across two chunks
                return
            if payload > body + size:
                return
            tag, digest = tag_of_cid(chunk[body:payload])
            sound = not verify or _is_sound(digest, view[payload : body + size])
            yield ScannedRecord(position + at, position + payload, body + size - payload, tag, digest, sound)
            at = body + size
        if at == 0:
            return
        position += at


def _is_sound(digest: bytes, payload: memoryview) -> bool:
    try:
        return multihash.matches(digest, payload)
    except InvalidInput:
        return False


class HeldSegment:
    """A segment that this process alone may append to, until ``release``."""

    def __init__(self, number: int, fd: int, end: int) -> None:
        self.number = number
        self.fd = fd
        self.end = end
        """Where the next record goes."""

    def write(self, parts: Sequence[Buffer], size: int) -> int:
        """Append ``parts`` (``size`` bytes together) and give the offset of the first.  Raises: StoreFull."""
        start = self.reserve(size)
        self.write_at(parts, start, size)
        return start

    def reserve(self, size: int) -> int:
        """The offset of ``size`` bytes that only the caller will write."""
        start = self.end
        self.end = start + size
        return start

    def write_at(self, parts: Sequence[Buffer], start: int, size: int) -> None:
        """Write into a reserved place.  Raises: StoreFull."""
        try:
            written = os.pwritev(self.fd, parts, start)
            if written != size:
                rest = memoryview(b"".join(parts))[written:]
                while rest:
                    count = os.pwrite(self.fd, rest, start + size - len(rest))
                    rest = rest[count:]
        except OSError as exc:
            raise disk_error(exc) from exc

    def sync(self) -> None:
        """Make what was written so far survive a power cut.  Raises: StoreFull."""
        try:
            fdatasync(self.fd)
        except OSError as exc:
            raise disk_error(exc) from exc

    def truncate(self, end: int) -> None:
        """Give back everything from byte ``end`` on."""
        os.ftruncate(self.fd, end)
        self.end = end

    def release(self) -> None:
        """Let others append to it; safe to call twice."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def disk_error(exc: OSError) -> Exception:
    """The error that a failed write is for a person."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull("no space left on the disk of the data folder")
    if exc.errno == errno.EFBIG:
        return StoreFull("the file system or a limit of this process does not allow files that large")
    return of_system(exc) or StoreCorrupt(f"writing to the data folder failed: {exc.strerror}")


def try_hold(layout: Layout, number: int) -> HeldSegment | None:
    """The segment, held, or None when somebody else holds it or it is gone."""
    path = layout.segment(number)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        stat = os.fstat(fd)
        if stat.st_nlink:  # else gc removed it between our open and our lock
            return HeldSegment(number, fd, stat.st_size)
    except BlockingIOError:
        pass
    os.close(fd)
    return None


def create(layout: Layout, number: int) -> HeldSegment | None:
    """A new segment, held and with its header durable, or None when that number is taken."""
    try:
        fd = os.open(layout.segment(number), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    except FileExistsError:
        return None
    except OSError as exc:
        raise disk_error(exc) from exc
    # Others can see the file before we have it locked: whoever was faster keeps it, with what they wrote.
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        stat = os.fstat(fd)
        taken = stat.st_size > 0 or stat.st_nlink == 0
    except BlockingIOError:
        taken = True
    if taken:
        os.close(fd)
        return None
    held = HeldSegment(number, fd, 0)
    try:
        held.write([SEGMENT_HEADER], len(SEGMENT_HEADER))
        sync_path(layout.segments)
    except BaseException:
        os.unlink(layout.segment(number))
        held.release()
        raise
    return held


class SegmentFile:
    """One open file, closed when the last reader lets go: a descriptor must not be reused under a running read."""

    __slots__ = ("fd",)

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        fd = getattr(self, "fd", -1)
        if fd >= 0:
            os.close(fd)


class SegmentFiles:
    """Segments open for reading, the most recently used ones kept."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._files: dict[int, SegmentFile] = {}
        self._lock = threading.Lock()

    def file(self, number: int) -> SegmentFile:
        """The open file; keep the object while its ``fd`` is used.  Raises: FileNotFoundError once gc removed it."""
        file = self._files.get(number)
        if file is None:
            file = SegmentFile(self._layout.segment(number))
            with self._lock:
                if len(self._files) >= _MAX_OPEN_FILES:
                    self._files.pop(next(iter(self._files)))
                file = self._files.setdefault(number, file)
        return file

    def read(self, number: int, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes.  Raises: FileNotFoundError, StoreCorrupt when the file is too short."""
        if length > MAX_RECORD_BYTES:
            raise StoreCorrupt(f"the catalogue says that a block has {length:,} bytes, which none may have")
        file = self.file(number)  # a name of its own: else it could be closed between this and the read
        data = os.pread(file.fd, length, offset)
        if len(data) != length:
            raise StoreCorrupt(
                f"segment {self._layout.segment(number)} ends before byte {offset + length}, where a block should"
            )
        return data

    def size(self, number: int) -> int:
        """The bytes of a segment's file; 0 where it is missing."""
        try:
            return os.stat(self._layout.segment(number)).st_size
        except FileNotFoundError:
            return 0

    def forget_removed(self) -> None:
        """Close files that gc has unlinked, so that their space comes back."""
        with self._lock:
            for number, file in list(self._files.items()):
                if os.fstat(file.fd).st_nlink == 0:
                    del self._files[number]

    def close(self) -> None:
        """Close all."""
        with self._lock:
            self._files.clear()
