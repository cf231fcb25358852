"""A queue of CIDs that takes no more memory when it is long: what a walk has found and not looked into yet."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Final

from pinfold.store.segments import disk_error

_LENGTH: Final = struct.Struct("<I")  # a link may be an identity CID as long as the block around it
_IN_MEMORY_BYTES: Final = 1 << 20  # about 26,000 CIDs: nearly every level of a DAG


class CidQueue:
    """First in, first out; write all of it, then iterate.  Beyond 1 MiB it is a file without a name.

    Raises:  StoreFull from ``put``.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """``folder`` is where the file goes: the store's own, since /tmp may be memory."""
        self._file = SpooledTemporaryFile(_IN_MEMORY_BYTES, dir=os.fspath(folder))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, cids: Iterable[bytes]) -> None:
        """Append CIDs."""
        parts = []
        for cid in cids:
            parts.append(_LENGTH.pack(len(cid)))
            parts.append(cid)
        self._count += len(parts) // 2
        try:
            self._file.write(b"".join(parts))
        except OSError as exc:
            raise disk_error(exc) from exc

    def __iter__(self) -> Iterator[bytes]:
        try:
            self._file.seek(0)  # writes what is still buffered
        except OSError as exc:
            raise disk_error(exc) from exc
        read = self._file.read
        while head := read(_LENGTH.size):
            yield read(_LENGTH.unpack(head)[0])

    def close(self) -> None:
        """Drop the queue and its file."""
        self._file.close()

    def __enter__(self) -> CidQueue:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
