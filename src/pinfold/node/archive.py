"""Files and folders as one stream: a tar archive, compressed or not, the same bytes every time."""

from __future__ import annotations

import gzip
import os
import tarfile
from collections.abc import Iterator
from typing import BinaryIO, Final, Protocol

from pinfold.core.cid import CID
from pinfold.core.content_path import ContentPath
from pinfold.core.errors import DagTooDeep, InvalidInput, UnsafeName
from pinfold.node.blocks import Reader, reader
from pinfold.node.cat import cat
from pinfold.node.names import PERMISSIONS, entries_of, is_safe
from pinfold.node.resolver import as_path, resolve_to_cid
from pinfold.store import Store
from pinfold.unixfs.read import Info, inspect

_MAX_FOLDERS: Final = 2000  # inside each other: more have no path that a system could open
_FILE_MODE: Final = 0o644
_FOLDER_MODE: Final = 0o755


class _Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


def get_archive(
    store: Store,
    path: str | CID | ContentPath,
    stream: BinaryIO,
    *,
    archive: bool = True,
    compress: int | None = None,
) -> None:
    """Write a file or folder as tar (PAX), compressed with gzip at level ``compress`` where that is given.

    ``archive=False`` leaves the tar out where there is a lone file; folders and links always have it.  The first name
    in the archive is the last of the path, or the CID.  Nothing in it depends on the time or the machine.

    Raises:  UnsafeName, DagTooDeep, InvalidInput for a level that is none, and what reading raises.
    """
    if compress is not None and not 1 <= compress <= 9:
        raise InvalidInput(f"gzip has levels 1 to 9, not {compress}")
    read = reader(store)
    content_path = as_path(path)
    cid = resolve_to_cid(read, content_path).bytes
    name = content_path.segments[-1] if content_path.segments else str(content_path.root)
    info = inspect(cid, read, size_of=read.size_of)
    if compress is None:
        _write(store, read, stream, cid, info, name, archive)
        return
    with gzip.GzipFile(filename="", mode="wb", compresslevel=compress, fileobj=stream, mtime=0) as packed:
        _write(store, read, packed, cid, info, name, archive)


def _write(store: Store, read: Reader, sink: _Sink, cid: bytes, info: Info, name: str, archive: bool) -> None:
    if not archive and info.kind in ("file", "raw"):
        for piece in cat(store, cid, 0, None):
            sink.write(piece)
        return
    if not is_safe(os.fsencode(name)):
        raise UnsafeName(f"{name!r} is no name for the top of an archive")
    size = 0
    for each_cid, each_info, each_name in _tree(cid, info, name, read):
        head = _header(each_info, each_name)
        sink.write(head)
        size += len(head)
        if each_info.kind in ("file", "raw"):
            for piece in cat(store, each_cid, 0, None):
                sink.write(piece)
            length = each_info.size or 0
            padding = -length % tarfile.BLOCKSIZE
            sink.write(bytes(padding))
            size += length + padding
    size += 2 * tarfile.BLOCKSIZE  # two empty blocks end an archive, and whole records are what tapes had
    sink.write(bytes(2 * tarfile.BLOCKSIZE + -size % tarfile.RECORDSIZE))


def _tree(cid: bytes, info: Info, name: str, read: Reader) -> Iterator[tuple[bytes, Info, str]]:
    """A tree in the order of its folders, each before what is in it."""
    yield cid, info, name
    above: list[tuple[str, Iterator[tuple[bytes, bytes]]]] = []
    if info.kind in ("directory", "hamt"):
        above.append((name, entries_of(cid, read)))
    while above:
        folder, entries = above[-1]
        following = next(entries, None)
        if following is None:
            above.pop()
            continue
        name, cid = f"{folder}/{os.fsdecode(following[0])}", following[1]
        info = inspect(cid, read, size_of=read.size_of)
        yield cid, info, name
        if info.kind in ("directory", "hamt"):
            if len(above) == _MAX_FOLDERS:
                raise DagTooDeep(f"{name} is deeper than {_MAX_FOLDERS} folders")
            above.append((name, entries_of(cid, read)))


def _header(info: Info, name: str) -> bytes:
    entry = tarfile.TarInfo(name)
    if info.kind in ("directory", "hamt"):
        entry.type, mode = tarfile.DIRTYPE, _FOLDER_MODE
    elif info.kind == "symlink":
        entry.type, mode = tarfile.SYMTYPE, 0o777
        entry.linkname = os.fsdecode(info.target or b"")
    else:
        mode = _FILE_MODE
        entry.size = info.size or 0
    entry.mode = mode if info.mode is None else info.mode & PERMISSIONS
    if info.mtime is not None:
        seconds, nanoseconds = info.mtime
        entry.mtime = seconds
        if nanoseconds:
            entry.pax_headers = {"mtime": _decimal(seconds, nanoseconds)}
    return entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _decimal(seconds: int, nanoseconds: int) -> str:
    """Seconds since 1970 with their fraction, of times before it too: one whole number, so that nothing is rounded."""
    total = seconds * 1_000_000_000 + nanoseconds
    sign = "-" if total < 0 else ""
    return f"{sign}{abs(total) // 1_000_000_000}.{abs(total) % 1_000_000_000:09d}"
