"""A file or folder of this machine as a DAG whose leaves stay where they are.

1. Everything is read and hashed once.  Nodes above leaves are kept; of a leaf, only where its bytes lie.
2. What is asked for later is read again, and must still be what it was.

All of it is in a private table on disk that the system removes with the process, so memory does not grow with the
content: 1 TiB has a million leaves.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, NamedTuple

from pinfold.core import codec
from pinfold.core.binary_cid import codec_of
from pinfold.core.cid import CID
from pinfold.core.errors import SourceChanged
from pinfold.node.model import Progress
from pinfold.node.sources import READ_ONLY, Filter, Source, filter_of, list_folder, root_source, source_error, total_of
from pinfold.unixfs.build import Built, layout_file, leaf
from pinfold.unixfs.chunker import chunks
from pinfold.unixfs.dag import is_identity
from pinfold.unixfs.directory import Entry, build_directory, build_symlink
from pinfold.unixfs.profile import Profile

_HASHING: Final = 2  # threads; hashing lets go of the interpreter
_IN_FLIGHT: Final = 8  # chunks read and not yet hashed: what bounds memory
_SMALL_BYTES: Final = 64 << 10  # hashed at once: a thread would cost more
_BATCH: Final = 1000  # rows written together

Report = Callable[[Progress], None]

_TABLES: Final = """
CREATE TABLE sources (id INTEGER PRIMARY KEY, path BLOB);
CREATE TABLE blocks (
    cid BLOB PRIMARY KEY, size INTEGER, block BLOB, source INTEGER, offset INTEGER, chunk INTEGER, place INTEGER
) WITHOUT ROWID;
CREATE INDEX places ON blocks (place) WHERE place IS NOT NULL;
"""


class Total(NamedTuple):
    """How much something is."""

    blocks: int
    bytes: int


class Tree:
    """The DAG of one path; made by ``Tree.of``, used in a ``with``."""

    def __init__(self, profile: Profile) -> None:
        self.root = b""
        self.name = ""
        self.left_out: list[str] = []
        """A sentence for each kind of things that were left out though no pattern names them."""
        self._profile = profile
        self._rows = sqlite3.connect("", isolation_level=None)  # on disk, without a name
        self._rows.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _TABLES)
        self._rows.execute("BEGIN")
        self._waiting: list[tuple[Any, ...]] = []
        self._places = 0

    @classmethod
    def of(
        cls,
        path: str | os.PathLike[str],
        profile: Profile,
        *,
        hidden: bool = False,
        ignore: Sequence[str] = (),
        progress: Report | None = None,
    ) -> Tree:
        """Read and hash what lies at ``path``.

        Raises:  SourceNotFound, SourceUnreadable, SymlinkLoop; SourceChanged, where somebody writes to it.
        """
        tree = cls(profile)
        try:
            keep = filter_of(hidden, ignore, ())
            _Reader(tree, profile, keep, progress).read(root_source(path))
            tree.left_out = keep.left_out()
        except BaseException:
            tree.close()
            raise
        return tree

    @property
    def cid(self) -> CID:
        """The root's CID."""
        return CID.from_bytes(self.root)

    def total(self) -> Total:
        """All of it, each block once."""
        return self._sum("")

    def links(self, cid: bytes) -> list[bytes]:
        """The CIDs that a block links to, in order.  Raises: SourceChanged."""
        return codec.links(codec_of(cid), self.block(cid))

    def block(self, cid: bytes) -> bytes:
        """The bytes of a block.  Raises: SourceChanged, SourceUnreadable, SourceNotFound."""
        block, source, offset, chunk = self._rows.execute(
            "SELECT block, source, offset, chunk FROM blocks WHERE cid = ?", (cid,)
        ).fetchone()
        return block if block is not None else self._read_again(cid, source, offset, chunk)

    # -- what is wanted ----------------------------------------------------------------------------------------------

    def want(self, cid: bytes) -> bool:
        """Put a block behind those wanted already; False, where it is one of them."""
        changed = self._rows.execute(
            "UPDATE blocks SET place = ? WHERE cid = ? AND place IS NULL", (self._places, cid)
        ).rowcount
        self._places += changed
        return changed == 1

    def want_nothing(self) -> None:
        """Begin anew."""
        self._rows.execute("UPDATE blocks SET place = NULL WHERE place IS NOT NULL")
        self._places = 0

    def wanted(self) -> Iterator[tuple[bytes, int]]:
        """The wanted CIDs in their order, each with its block's size."""
        return self._rows.execute("SELECT cid, size FROM blocks WHERE place IS NOT NULL ORDER BY place")

    def wanted_total(self) -> Total:
        """How much that is."""
        return self._sum("WHERE place IS NOT NULL")

    # -- building ----------------------------------------------------------------------------------------------------

    def keep_block(self, cid: bytes, block: bytes) -> None:
        """Take a block with its bytes."""
        self._add((cid, len(block), block, None, None, None))

    def keep_place(self, cid: bytes, size: int, source: int, offset: int, chunk: int) -> None:
        """Take a leaf whose ``chunk`` bytes lie at ``offset`` of a source."""
        self._add((cid, size, None, source, offset, chunk))

    def add_source(self, path: bytes) -> int:
        """The number of a file."""
        number = self._rows.execute("INSERT INTO sources (path) VALUES (?)", (path,)).lastrowid
        assert number is not None
        return number

    def flush(self) -> None:
        """Write what waits."""
        self._rows.executemany(
            "INSERT OR IGNORE INTO blocks (cid, size, block, source, offset, chunk) VALUES (?, ?, ?, ?, ?, ?)",
            self._waiting,
        )
        self._waiting.clear()

    def _add(self, row: tuple[Any, ...]) -> None:
        self._waiting.append(row)
        if len(self._waiting) >= _BATCH:
            self.flush()

    def _sum(self, where: str) -> Total:
        blocks, size = self._rows.execute(f"SELECT count(*), coalesce(sum(size), 0) FROM blocks {where}").fetchone()
        return Total(blocks, size)

    def _read_again(self, cid: bytes, source: int, offset: int, chunk: int) -> bytes:
        (path,) = self._rows.execute("SELECT path FROM sources WHERE id = ?", (source,)).fetchone()
        shown = os.fsdecode(path)
        try:
            fd = os.open(path, READ_ONLY)
            try:
                data = _read_all(fd, offset, chunk)
            finally:
                os.close(fd)
        except OSError as exc:
            raise source_error(exc, path) from exc
        built, block = leaf(self._profile, data)
        if built.cid != cid:
            raise SourceChanged(
                f"{shown} has changed since it was hashed", hint="Push again when nothing writes to it."
            )
        return block

    def close(self) -> None:
        """Let go of the table."""
        self._rows.close()

    def __enter__(self) -> Tree:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Folder:
    """A folder that is being read: what is still to come of it, and its entries so far."""

    __slots__ = ("entries", "source", "waiting")

    def __init__(self, source: Source, waiting: list[Source]) -> None:
        self.source = source
        self.waiting = waiting[::-1]
        self.entries: list[Entry] = []


class _Reader:
    """Reads one path into a tree, depth first."""

    def __init__(self, tree: Tree, profile: Profile, keep: Filter, progress: Report | None) -> None:
        self._tree = tree
        self._profile = profile
        self._keep = keep
        self._progress = progress
        self._total = (0, 0)
        self._done = [0, 0]
        self._pool: ThreadPoolExecutor

    def read(self, root: Source) -> None:
        if self._progress is not None:
            self._total = total_of([root], self._keep)
        with ThreadPoolExecutor(_HASHING, "pinfold-push") as self._pool:
            built = self._walk(root)
        self._tree.flush()
        self._tree.root, self._tree.name = built.cid, root.shown

    def _walk(self, root: Source) -> Built:
        if root.kind != stat.S_IFDIR:
            return self._file_or_link(root)
        folders = [_Folder(root, list_folder(root, self._keep))]
        while True:
            folder = folders[-1]
            if folder.waiting:
                source = folder.waiting.pop()
                if source.kind == stat.S_IFDIR:
                    folders.append(_Folder(source, list_folder(source, self._keep)))
                else:
                    built = self._file_or_link(source)
                    folder.entries.append(Entry(source.name, built.cid, built.tsize))
                continue
            built = build_directory(folder.entries, self._profile, self._tree.keep_block)
            self._count(0, 1)
            folders.pop()
            if not folders:
                return built
            folders[-1].entries.append(Entry(folder.source.name, built.cid, built.tsize))

    def _file_or_link(self, source: Source) -> Built:
        try:
            if source.kind == stat.S_IFLNK:
                built = build_symlink(os.readlink(source.path), self._profile, self._tree.keep_block)
            else:
                built = self._file(source)
        except OSError as exc:
            raise source_error(exc, source.path) from exc
        self._count(0, 1)
        return built

    def _file(self, source: Source) -> Built:
        fd = os.open(source.path, READ_ONLY)
        try:
            before = os.fstat(fd)
            number = self._tree.add_source(source.path)
            leaves = self._leaves(fd, number)
            after = os.fstat(fd)
        finally:
            os.close(fd)
        size = sum(one.size for one in leaves)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or size != before.st_size:
            raise SourceChanged(f"{os.fsdecode(source.path)} changed while it was read")
        return layout_file(leaves, self._profile, self._tree.keep_block)

    def _leaves(self, fd: int, number: int) -> list[Built]:
        leaves: list[Built] = []
        hashing: deque[Future[Built]] = deque()
        offset = 0

        def done(built: Built) -> None:
            nonlocal offset
            if not is_identity(built.cid):
                self._tree.keep_place(built.cid, built.tsize, number, offset, built.size)
            offset += built.size
            leaves.append(built)
            self._count(built.size, 0)

        for chunk in chunks(lambda size: os.read(fd, size), self._profile.chunker):
            if len(chunk) <= _SMALL_BYTES and not hashing:
                done(self._name(bytes(chunk)))
                continue
            hashing.append(self._pool.submit(self._name, bytes(chunk)))
            if len(hashing) >= _IN_FLIGHT:
                done(hashing.popleft().result())
        while hashing:
            done(hashing.popleft().result())
        return leaves

    def _name(self, chunk: bytes) -> Built:
        return leaf(self._profile, chunk)[0]

    def _count(self, size: int, things: int) -> None:
        self._done[0] += size
        self._done[1] += things
        if self._progress is not None:
            self._progress(Progress(self._done[0], self._total[0], self._done[1], self._total[1]))


def _read_all(fd: int, offset: int, size: int) -> bytes:
    """``size`` bytes at ``offset``, fewer where the file has become shorter."""
    parts = []
    while size > 0 and (data := os.pread(fd, size, offset)):
        parts.append(data)
        offset += len(data)
        size -= len(data)
    return b"".join(parts)
