"""Several files of this machine, read end to end as one stream: a resumable upload may come in parts."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

_BUFFER_BYTES: Final = 1 << 20  # one chunk of the default profile


def open_joined(paths: Sequence[Path]) -> io.BufferedReader:
    """The files as one stream; all are open from the beginning, so that none can be removed meanwhile.

    Raises:  FileNotFoundError.
    """
    with ExitStack() as opened:
        streams = [opened.enter_context(io.FileIO(path)) for path in paths]
        opened.pop_all()
    return io.BufferedReader(_Joined(streams), _BUFFER_BYTES)


class _Joined(io.RawIOBase):
    def __init__(self, streams: Sequence[io.FileIO]) -> None:
        super().__init__()
        self._streams = streams
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # any writable buffer
        """The number of bytes put into ``buffer``; 0 behind the last file."""
        while self._at < len(self._streams):
            if count := self._streams[self._at].readinto(buffer):
                return count
            self._at += 1
        return 0

    def close(self) -> None:
        """Close all of the files."""
        for stream in self._streams:
            stream.close()
        super().close()
