"""Bytes out to a file descriptor: ranges of segment files go without passing through this process where that works."""

from __future__ import annotations

import fcntl
import os
import stat
import sys
from typing import Final

_PIPE_BYTES: Final = 1 << 20
_COPY_BYTES: Final = 1 << 20
_JOIN_BYTES: Final = 64 << 10


class Output:
    """A file descriptor that small pieces and ranges of files are written to, in order.

    Small pieces are gathered until ``flush`` or the next large one.  Nothing is closed here.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._small: list[bytes | memoryview] = []
        self._small_bytes = 0
        self.written = 0
        mode = os.fstat(fd).st_mode
        self._is_pipe = stat.S_ISFIFO(mode)
        self._way = "read"
        if sys.platform == "linux":
            if self._is_pipe:
                self._way = "splice"
                try:
                    fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
                except OSError:
                    pass  # more pipe than this user may have: it stays small, and slower
            elif stat.S_ISREG(mode) and not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_APPEND:
                self._way = "copy"

    def write(self, data: bytes | memoryview) -> None:
        """Write a piece."""
        self._small.append(data)
        self._small_bytes += len(data)
        self.written += len(data)
        if self._small_bytes >= _JOIN_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        if not self._small:
            return
        data = memoryview(b"".join(self._small))
        self._small, self._small_bytes = [], 0
        while data:
            data = data[os.write(self._fd, data) :]

    def copy(self, source: int, offset: int, length: int) -> None:
        """Write ``length`` bytes of a file from ``offset`` on.  Raises: EOFError when the file is shorter."""
        if length < _JOIN_BYTES // 4:
            data = os.pread(source, length, offset)
            if len(data) != length:
                raise EOFError
            self.write(data)
            return
        self.flush()
        left = length
        while left:
            count = self._copy_some(source, offset, left)
            if count == 0:
                raise EOFError
            offset += count
            left -= count
        self.written += length

    def _copy_some(self, source: int, offset: int, length: int) -> int:
        if self._way == "splice":
            return os.splice(source, self._fd, min(length, _PIPE_BYTES), offset_src=offset)
        if self._way == "copy":
            try:
                return os.copy_file_range(source, self._fd, length, offset_src=offset)
            except OSError:
                self._way = "read"  # another file system, or one that cannot: then the plain way says what is wrong
        data = os.pread(source, min(length, _COPY_BYTES), offset)
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        return len(data)
