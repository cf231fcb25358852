"""Files and folders on this machine become DAGs in the store.

1. The tree is walked depth first, names in order; nothing is recursive, so depth costs no stack.
2. A small file is one read, one hash, one block in a batch.
3. A large one is cut into chunks that three threads read, hash and write; the walk goes on meanwhile, and what is
   under way is finished in the order in which it began.
4. A folder is built when everything in it is; roots are pinned with the one commit at the end.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from hashlib import sha256
from typing import Any, BinaryIO, Final

from pinfold.core import multihash as mh
from pinfold.core import varint
from pinfold.core.cid import CID, RAW
from pinfold.core.errors import InvalidInput, SourceChanged, SourceUnreadable
from pinfold.node.leaves import Sink
from pinfold.node.model import Added, AddOptions, Progress
from pinfold.node.sources import (
    READ_ONLY,
    Filter,
    Source,
    bounded,
    check_unchanged,
    filter_of,
    list_folder,
    metadata_of,
    root_source,
    source_error,
    total_of,
)
from pinfold.node.tree import Tree, build_tree, folder_of
from pinfold.store import Store
from pinfold.store.writer import NewBlock, Root, Writer
from pinfold.unixfs.build import Built, Metadata, build_file, layout_file
from pinfold.unixfs.chunker import chunks, fixed_size
from pinfold.unixfs.directory import Entry, build_directory, build_symlink
from pinfold.unixfs.profile import describe, for_metadata

_SMALL_BYTES: Final = 64 << 10  # up to this a file is one read and needs no thread
_MAX_UNFINISHED: Final = 64  # files whose leaves are under way
_PROGRESS_FILES: Final = 256
_FLUSH_CHECK: Final = 64

Report = Callable[[Progress], None]


class _Folder:
    """A folder that is being added: what is still to come of it, and the entries that are done."""

    __slots__ = ("entries", "file_bytes", "source", "waiting")

    def __init__(self, source: Source, waiting: list[Source]) -> None:
        self.source = source
        self.waiting = waiting[::-1]
        self.entries: list[Entry] = []
        self.file_bytes = 0


class _Unfinished:
    """A file whose leaves are under way."""

    __slots__ = ("fd", "folder", "leaves", "metadata", "source", "stat", "whole")

    def __init__(self, source: Source, folder: _Folder | None, metadata: Metadata | None) -> None:
        self.source = source
        self.folder = folder
        self.metadata = metadata
        self.leaves: list[Future[tuple[Built, int | None]]] = []
        self.whole: Built | None = None  # in the place of leaves, when it was done in one piece
        self.fd = -1
        self.stat: os.stat_result | None = None


class Adder:
    """One add: paths or a stream in, one commit at the end."""

    def __init__(
        self,
        store: Store,
        options: AddOptions,
        progress: Report | None,
        left_out: Callable[[list[str]], None] | None = None,
    ) -> None:
        self._left_out = left_out
        self._store = store
        self._options = options
        if options.preserve_mode or options.preserve_mtime:
            self._options = replace(options, profile=for_metadata(options.profile))
        self._profile = self._options.profile
        self._chunk = fixed_size(self._profile)
        self._plain = (
            self._profile.raw_leaves
            and not self._profile.inline
            and self._profile.hash_code == mh.SHA2_256
            and self._profile.layout == "balanced"
        )
        self._progress = progress
        self._done = [0, 0]  # bytes, things
        self._total = (0, 0)
        self._writer: Writer | None = None
        self._sink: Sink
        self._unfinished: deque[_Unfinished] = deque()
        self._finished: deque[Added] = deque()
        self._pins: list[tuple[CID, list[int]]] = []

    # -- the whole add ---------------------------------------------------------------------------------------------

    def paths(self, paths: Sequence[str | os.PathLike[str]]) -> Iterator[Added]:
        """Add paths.  Raises: what reading them and writing the store can raise; then nothing of it was kept."""
        options = self._options
        keep = filter_of(options.hidden, options.ignore, options.ignore_files)
        sources = [root_source(path) for path in paths]
        if not sources:
            raise InvalidInput("there is nothing to add: name a file or a folder")
        if self._progress is not None:
            self._total = total_of(sources, keep)
        with ExitStack() as stack:
            self._open(stack)
            roots: list[Added] = []
            for source in sources:
                for added in self._tree(source, keep):
                    if added.is_root:
                        roots.append(added)
                    else:
                        yield added
                if not options.wrap:
                    self._keep_root(roots[-1].cid)
            if options.wrap:
                yield from (root._replace(is_root=False) for root in roots)
                roots = [self._wrap(roots)]
            self._commit()
        if self._left_out is not None:
            self._left_out(keep.left_out())
        yield from roots

    def stream(self, stream: BinaryIO, name: str) -> Added:
        """Add what a stream gives."""
        with ExitStack() as stack:
            self._open(stack)
            built = self._stream(stream)
            cid = CID.from_bytes(built.cid)
            root = Added(name or str(cid), cid, built.tsize, "file", True, built.size)
            if self._options.wrap:
                root = self._wrap([root])
            else:
                self._keep_root(root.cid)
            self._commit()
        return root

    def streams(self, streams: Iterable[BinaryIO]) -> list[Added]:
        """Add what streams give, each read to its end when its turn comes."""
        added = []
        with ExitStack() as stack:
            self._open(stack)
            for stream in streams:
                built = self._stream(stream)
                cid = CID.from_bytes(built.cid)
                self._keep_root(cid)
                self._flush_when_full()
                added.append(Added(str(cid), cid, built.tsize, "file", True, built.size))
            self._commit()
        return added

    def tree(self, entries: Iterable[tuple[Sequence[str], BinaryIO]], name: str) -> Added:
        """Add one folder of streams, each read to its end when its turn comes; names are checked before."""
        root: Tree = {}
        with ExitStack() as stack:
            self._open(stack)
            content_bytes = 0
            for path, stream in entries:
                folder = folder_of(root, path)
                built = self._stream(stream)
                folder[path[-1]] = built
                content_bytes += built.size
                self._flush_when_full()
            made = build_tree(root, self._profile, self._sink.emit)
            cid = CID.from_bytes(made.cid)
            self._keep_root(cid)
            self._commit()
        return Added(name or str(cid), cid, made.tsize, "directory", True, content_bytes)

    def _flush_when_full(self) -> None:
        if self._writer is not None and self._writer.is_full:
            self._sink.flush()
            self._writer.flush()

    def _open(self, stack: ExitStack) -> None:
        if not self._options.only_hash:
            self._writer = stack.enter_context(self._store.writer())
        self._sink = Sink(self._writer, self._profile)
        stack.callback(self._close_files)
        stack.callback(self._sink.close)

    def _close_files(self) -> None:
        for unfinished in self._unfinished:
            os.close(unfinished.fd)
        self._unfinished.clear()

    def _keep_root(self, cid: CID) -> None:
        self._sink.flush()
        if self._options.pin:
            self._pins.append((cid, self._sink.touched))
        self._sink.touched = []

    def _wrap(self, roots: list[Added]) -> Added:
        entries = [Entry(os.fsencode(root.path), root.cid.bytes, root.size_bytes) for root in roots]
        built = build_directory(entries, self._profile, self._sink.emit)
        cid = CID.from_bytes(built.cid)
        self._keep_root(cid)
        return Added("", cid, built.tsize, "directory", True, sum(root.file_bytes for root in roots))

    def _commit(self) -> None:
        if self._writer is None:
            return
        profile, name, keep = describe(self._profile), self._options.pin_name, self._options.keep_pin_name
        self._writer.commit([Root(cid, handles, name, profile, keep) for cid, handles in self._pins])

    # -- the walk --------------------------------------------------------------------------------------------------

    def _tree(self, root: Source, keep: Filter) -> Iterator[Added]:
        """Everything of one root, children before their folder, the root last."""
        if root.kind != stat.S_IFDIR:
            self._file_or_link(root, None)
            yield from self._finish_all(root)
            return
        open_folders = [_Folder(root, list_folder(root, keep))]
        while open_folders:
            folder = open_folders[-1]
            if folder.waiting:
                source = folder.waiting.pop()
                if source.kind == stat.S_IFDIR:
                    open_folders.append(_Folder(source, list_folder(source, keep)))
                else:
                    self._file_or_link(source, folder)
                    if self._finished:
                        yield from self._take_finished(root)
                continue
            yield from self._finish_all(root)
            open_folders.pop()
            added = self._folder(folder, open_folders[-1] if open_folders else None, root)
            yield added

    def _folder(self, folder: _Folder, parent: _Folder | None, root: Source) -> Added:
        source = folder.source
        metadata = metadata_of(source.path, self._options.preserve_mode, self._options.preserve_mtime)
        built = build_directory(folder.entries, self._profile, self._sink.emit, metadata)
        if parent is not None:
            parent.entries.append(Entry(source.name, built.cid, built.tsize))
            parent.file_bytes += folder.file_bytes
        self._count(0)
        cid = CID.from_bytes(built.cid)
        return Added(source.shown, cid, built.tsize, "directory", source is root, folder.file_bytes)

    def _file_or_link(self, source: Source, folder: _Folder | None) -> None:
        options = self._options
        metadata = metadata_of(source.path, options.preserve_mode, options.preserve_mtime)
        if source.kind == stat.S_IFLNK:
            try:
                target = os.readlink(source.path)
            except OSError as exc:
                raise source_error(exc, source.path) from exc
            built = build_symlink(target, self._profile, self._sink.emit, metadata)
            self._queue_ready(source, folder, built, "symlink")
            return
        try:
            fd = os.open(source.path, READ_ONLY)
        except OSError as exc:
            raise source_error(exc, source.path) from exc
        try:
            data = os.read(fd, _SMALL_BYTES + 1)
            if (
                self._chunk is not None
                and len(data) <= min(_SMALL_BYTES, self._chunk)
                and not (data and os.read(fd, 1))  # files of /proc, and some network file systems, come in pieces
            ):
                built = self._small_file(data, metadata)
            elif self._chunk is not None:
                handed_on, fd = fd, -1  # from here on it is closed with what is unfinished, and only there
                self._large_file(handed_on, len(data), source, folder, metadata)
                return
            else:
                built = self._cut_by_content(fd, source, metadata)
        except OSError as exc:
            raise source_error(exc, source.path) from exc
        finally:
            if fd >= 0:
                os.close(fd)
        self._queue_ready(source, folder, built, "file")

    def _small_file(self, data: bytes, metadata: Metadata | None) -> Built:
        if not self._plain or metadata is not None:
            return build_file([data] if data else [], self._profile, self._sink.emit, metadata)
        multihash = mh.SHA2_256_PREFIX + sha256(data).digest()
        cid = b"\x01\x55" + multihash
        if self._writer is not None:
            size = len(data)
            whole = 36 + size
            length = bytes((whole & 0x7F | 0x80, whole >> 7)) if 0x80 <= whole < 0x4000 else varint.encode(whole)
            self._sink.add(NewBlock(multihash, RAW, length + cid, data), size)
        return Built(cid, len(data), len(data))

    def _large_file(
        self, fd: int, seen: int, source: Source, folder: _Folder | None, metadata: Metadata | None
    ) -> None:
        assert self._chunk is not None
        unfinished = _Unfinished(source, folder, metadata)
        unfinished.fd = fd
        self._unfinished.append(unfinished)  # closes the file, whatever happens
        unfinished.stat = os.fstat(fd)
        size = unfinished.stat.st_size
        shown = os.fsdecode(source.path)
        if size < seen:
            raise SourceChanged(f"{shown} has {seen:,} bytes and more where {size:,} were expected")
        if size <= self._chunk and (not self._plain or metadata is not None):
            # A sole leaf may have to carry the metadata itself: rare enough to be done in one piece.
            os.lseek(fd, 0, os.SEEK_SET)
            data = b"".join(iter(bounded(fd, size, shown), b""))
            unfinished.whole = build_file([data], self._profile, self._sink.emit, metadata)
            self._count(len(data), things=0)
        else:
            for offset in range(0, size, self._chunk):
                length = min(self._chunk, size - offset)
                unfinished.leaves.append(self._sink.read_leaf(fd, offset, length, shown))
                self._count(length, things=0)
        while self._unfinished and (
            len(self._unfinished) > _MAX_UNFINISHED or all(leaf.done() for leaf in self._unfinished[0].leaves)
        ):
            self._finish_one()

    def _cut_by_content(self, fd: int, source: Source, metadata: Metadata | None) -> Built:
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            raise SourceUnreadable(f"{os.fsdecode(source.path)} is no regular file any more")
        shown = os.fsdecode(source.path)
        os.lseek(fd, 0, os.SEEK_SET)
        read = bounded(fd, before.st_size, shown)
        built = self._chunked(lambda size: read(), metadata)
        check_unchanged(before, os.fstat(fd), built.size, shown)
        return built

    def _stream(self, stream: BinaryIO) -> Built:
        def read(size: int) -> bytes:
            data = stream.read(size)
            self._count(len(data), things=0)
            return data

        return self._chunked(read, None)

    def _chunked(self, read: Callable[[int], bytes], metadata: Metadata | None) -> Built:
        """A file from a reader: chunks are hashed and written by the threads as they come."""
        leaves: list[Future[tuple[Built, int | None]]] = []
        cut = chunks(read, self._profile.chunker)
        first = next(cut, None)
        second = next(cut, None) if first is not None else None
        if first is None or second is None:
            return build_file([] if first is None else [first], self._profile, self._sink.emit, metadata)
        for chunk in (first, second):
            leaves.append(self._sink.put_leaf(bytes(chunk)))
        for chunk in cut:
            leaves.append(self._sink.put_leaf(bytes(chunk)))
        return self._lay_out(leaves, metadata)

    # -- what is under way -----------------------------------------------------------------------------------------

    def _lay_out(self, leaves: list[Future[tuple[Built, int | None]]], metadata: Metadata | None) -> Built:
        built = []
        touched = self._sink.touched
        for leaf in leaves:
            made, handle = leaf.result()
            built.append(made)
            if handle is not None:
                touched.append(handle)
        return layout_file(built, self._profile, self._sink.emit, metadata)

    def _finish_one(self) -> None:
        unfinished = self._unfinished[0]
        source = unfinished.source
        built = unfinished.whole or self._lay_out(unfinished.leaves, unfinished.metadata)
        assert unfinished.stat is not None
        check_unchanged(unfinished.stat, os.fstat(unfinished.fd), built.size, os.fsdecode(source.path))
        self._unfinished.popleft()  # first, so that an interrupt between the two lines cannot close it twice
        os.close(unfinished.fd)
        if self._writer is not None and self._writer.is_full and not self._unfinished:
            self._sink.flush()
            self._writer.flush()
        self._finish(source, unfinished.folder, built, "file")

    def _queue_ready(self, source: Source, folder: _Folder | None, built: Built, kind: Any) -> None:
        while self._unfinished:
            self._finish_one()
        if self._done[1] % _FLUSH_CHECK == 0 and self._writer is not None and self._writer.is_full:
            self._sink.flush()
            self._writer.flush()
        self._finish(source, folder, built, kind)
        self._count(built.size)

    def _finish(self, source: Source, folder: _Folder | None, built: Built, kind: Any) -> None:
        if folder is not None:
            folder.entries.append(Entry(source.name, built.cid, built.tsize))
            folder.file_bytes += built.size
        cid = CID.from_bytes(built.cid)
        self._finished.append(Added(source.shown, cid, built.tsize, kind, folder is None, built.size))

    def _finish_all(self, root: Source) -> Iterator[Added]:
        while self._unfinished:
            self._finish_one()
        yield from self._take_finished(root)

    def _take_finished(self, root: Source) -> Iterator[Added]:
        while self._finished:
            yield self._finished.popleft()

    def _count(self, size: int, *, things: int = 1) -> None:
        self._done[0] += size
        self._done[1] += things
        if self._progress is not None and (size >= _SMALL_BYTES or self._done[1] % _PROGRESS_FILES == 0):
            self._progress(Progress(self._done[0], self._total[0], self._done[1], self._total[1]))
