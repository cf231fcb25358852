"""``Node``: all of the embedded node, as one object.  Each method forwards to the module that does the work.

The modules are imported when they are first needed: a command line that adds one small file should not pay for
archives, HTTP and reports.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from pinfold.core import multihash
from pinfold.core.cid import CID, DAG_CBOR, RAW
from pinfold.core.pin import Pin, PinMode
from pinfold.node.model import (
    Added,
    AddOptions,
    DagStats,
    DirEntry,
    FolderLink,
    GCReport,
    Imported,
    Progress,
    RebuildReport,
    Ref,
    RepairReport,
    RepoStat,
    Resolved,
    Stat,
    VerifyReport,
)
from pinfold.store import Store

if TYPE_CHECKING:
    from pyroaring import BitMap

    from pinfold.core.codec import Value
    from pinfold.core.content_path import ContentPath
    from pinfold.node.cat import FileReader
    from pinfold.unixfs.read import Info

Report = Callable[[Progress], None]
_DEFAULT_OPTIONS = AddOptions()


def default_data_dir() -> Path:
    """Where data lies when nobody says: ``PINFOLD_DATA_DIR``, else the place that this system has for it."""
    given = os.environ.get("PINFOLD_DATA_DIR")
    if given:
        return Path(given)
    from platformdirs import user_data_path

    return user_data_path("pinfold")


class Node:
    """The embedded IPFS node on one data folder.

    Thread-safe; any number of processes may have a node on the same folder at once.  Use it as a context manager, or
    ``close`` it.  What a method answered survives ``kill -9`` and a power cut.

    >>> with Node("/tmp/example") as node:
    ...     cid = node.add_bytes(b"hello world")
    ...     b"".join(node.cat(cid))
    b'hello world'
    """

    def __init__(self, data_dir: str | os.PathLike[str] | None = None, *, create: bool = True) -> None:
        """Open a data folder, making it where it is new.

        Raises:  StoreNewer, StoreInUse, StoreUnreadable, StoreFull; CatalogueLost, then ``Node.rebuild`` helps.
        """
        self._data_dir = Path(data_dir) if data_dir is not None else default_data_dir()
        self._store = Store(self._data_dir.absolute(), create=create)
        self._closed = False

    @property
    def data_dir(self) -> Path:
        """The folder that holds everything."""
        return self._data_dir

    @property
    def store(self) -> Store:
        """The block store below, for the rooms of this package; its rules are its own."""
        return self._store

    def close(self) -> None:
        """Let go of the folder; safe to call twice."""
        if not self._closed:
            self._closed = True
            self._store.close()

    def __enter__(self) -> Node:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- adding ----------------------------------------------------------------------------------------------------

    def add(
        self,
        paths: Sequence[str | os.PathLike[str]],
        options: AddOptions = _DEFAULT_OPTIONS,
        *,
        progress: Report | None = None,
        left_out: Callable[[list[str]], None] | None = None,
    ) -> Iterator[Added]:
        """Add files and folders of this machine; everything below a folder comes before it, roots come last.

        All of it or nothing: once a root is given it is durable and pinned, and an error before leaves no block.
        Run the iterator to its end, or nothing is kept.
        ``left_out`` is called once before the roots come, with a sentence for each kind of things that were not added
        though nobody named them: names that begin with a dot, and data folders of nodes.

        Raises:  SourceNotFound, SourceUnreadable, SourceChanged, SymlinkLoop, StoreFull, InvalidInput.
        """
        from pinfold.node.add import Adder

        return Adder(self._store, options, progress, left_out).paths(paths)

    def add_stream(
        self,
        stream: BinaryIO,
        options: AddOptions = _DEFAULT_OPTIONS,
        *,
        name: str = "",
        progress: Report | None = None,
    ) -> Added:
        """Add what ``stream.read(n)`` gives, in bounded memory; ``name`` is its name in a wrapping folder.

        What the stream raises goes through, and nothing is kept.
        """
        from pinfold.node.add import Adder

        return Adder(self._store, options, progress).stream(stream, name)

    def add_streams(self, streams: Iterable[BinaryIO], options: AddOptions = _DEFAULT_OPTIONS) -> list[Added]:
        """Add what streams give, each by itself, one commit for all: all of them or nothing."""
        from pinfold.node.add import Adder

        return Adder(self._store, options, None).streams(streams)

    def add_tree(
        self,
        entries: Iterable[tuple[Sequence[str], BinaryIO]],
        options: AddOptions = _DEFAULT_OPTIONS,
        *,
        name: str = "",
    ) -> Added:
        """Add one folder of streams, each with its path inside it; all of it or nothing.

        What the streams raise goes through.  Raises: UnsafeName for paths that do not fit together, StoreFull.
        """
        from pinfold.node.add import Adder

        return Adder(self._store, options, None).tree(entries, name)

    def add_bytes(self, data: bytes, options: AddOptions = _DEFAULT_OPTIONS) -> CID:
        """Add a file that is already in memory."""
        import io

        return self.add_stream(io.BytesIO(data), options).cid

    # -- reading ---------------------------------------------------------------------------------------------------

    def cat(self, path: str | CID | ContentPath, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes of a file, in pieces of at most one block; each block is hashed before its bytes are given.

        Raises:  PathNotFound, BlockNotFound, NotAFile, NotUnixFS, MalformedBlock, BlockCorrupt; on the first step.
        """
        from pinfold.node.cat import cat

        return cat(self._store, self._find(path).bytes, offset, length)

    def cat_to(self, path: str | CID | ContentPath, fd: int, *, offset: int = 0, length: int | None = None) -> int:
        """Write the bytes of a file to a file descriptor, without copying them through this process where that works.

        Gives the bytes written.  Raises: as ``cat``, and OSError when ``fd`` cannot be written to.
        """
        from pinfold.node.cat import cat_to

        return cat_to(self._store, self._find(path).bytes, fd, offset, length)

    def open_file(self, path: str | CID | ContentPath) -> FileReader:
        """One file, to be asked for its size and for parts of it; for one thread at a time.

        Raises:  as ``cat``.
        """
        from pinfold.node.cat import FileReader

        return FileReader(self._store, self._find(path))

    def get(self, path: str | CID | ContentPath, destination: Path, *, progress: Report | None = None) -> int:
        """Write a file or a whole folder to disk and give the bytes written; nothing outside ``destination``.

        Raises:  UnsafeName, SourceUnreadable where the disk says no, and what ``cat`` raises.
        """
        from pinfold.node.get import get

        return get(self._store, path, destination, progress)

    def get_archive(
        self, path: str | CID | ContentPath, stream: BinaryIO, *, archive: bool = True, compress: int | None = None
    ) -> None:
        """Write a file or folder as a tar archive, compressed with gzip at a level of 1 to 9 where asked for.

        ``archive=False`` gives a lone file compressed without tar.
        """
        from pinfold.node.get import get_archive

        get_archive(self._store, path, stream, archive=archive, compress=compress)

    def ls(self, path: str | CID | ContentPath) -> Iterator[DirEntry]:
        """The names in a folder, flat or HAMT.  Raises: PathNotFound, BlockNotFound, NotUnixFS."""
        from pinfold.node.listing import ls

        return ls(self._store, path)

    def folder_links(self, cid: CID) -> Iterator[FolderLink]:
        """The names in a folder, without a look at what they lead to.  Raises: as ``ls``; NotADirectory."""
        from pinfold.node.listing import folder_links

        return folder_links(self._store, cid)

    def describe_links(self, links: Iterable[FolderLink]) -> list[DirEntry]:
        """What ``ls`` says of these entries.  Raises: BlockCorrupt."""
        from pinfold.node.listing import describe_links

        return describe_links(self._store, links)

    def refs(
        self,
        path: str | CID | ContentPath,
        *,
        recursive: bool = False,
        unique: bool = False,
        max_depth: int | None = None,
    ) -> Iterator[Ref]:
        """The links of a block, or of everything below it.  Raises: PathNotFound, BlockNotFound, DagTooDeep."""
        from pinfold.node.listing import refs

        return refs(self._store, path, recursive=recursive, unique=unique, max_depth=max_depth)

    def refs_local(self) -> Iterator[CID]:
        """The CID of every block here, as it was stored."""
        return (CID.from_bytes(cid) for cid in self._store.local_cids())

    def resolve(self, path: str | CID | ContentPath) -> Resolved:
        """Where a path leads.  Raises: InvalidPath, PathNotFound, BlockNotFound, NotADirectory."""
        from pinfold.node.blocks import reader
        from pinfold.node.resolver import as_path, resolve

        return resolve(reader(self._store), as_path(path))

    def stat(self, path: str | CID | ContentPath) -> Stat:
        """Size, blocks, and what is shared with other pins.  Raises: PathNotFound, BlockNotFound (of the root)."""
        from pinfold.node.accounting import stat

        return stat(self._store, path)

    def file_info(self, path: str | CID | ContentPath) -> Info:
        """What one file, folder or link says of itself.  Raises: as ``cat``."""
        from pinfold.node.blocks import reader
        from pinfold.unixfs.read import inspect

        read = reader(self._store)
        return inspect(self._find(path).bytes, read, size_of=read.size_of)

    def _find(self, path: str | CID | ContentPath) -> CID:
        from pinfold.node.blocks import reader
        from pinfold.node.resolver import as_path, resolve_to_cid

        return path if isinstance(path, CID) else resolve_to_cid(reader(self._store), as_path(path))

    # -- pins ------------------------------------------------------------------------------------------------------

    def pin_add(
        self,
        path: str | CID | ContentPath,
        *,
        recursive: bool = True,
        name: str = "",
        progress: Report | None = None,
    ) -> CID:
        """Keep what is here already; a pin that is there gets the new name.

        Raises:  BlockNotFound where something of it is missing, PinConflict, DagTooDeep.
        """
        cid = self._find(path)
        mode = PinMode.RECURSIVE if recursive else PinMode.DIRECT
        report = None if progress is None else lambda done: progress(Progress(0, 0, done, 0))
        self._store.pin(cid, mode, name=name, progress=report)
        return cid

    def pin_ls(
        self, *, mode: PinMode | None = None, name: str | None = None, cids: Sequence[CID] = ()
    ) -> Iterator[Pin]:
        """Pins of one mode or of all, whose name has ``name`` in it; or how each of ``cids`` is pinned.

        Raises:  PinNotFound for one of ``cids`` that is not pinned at all.
        """
        from pinfold.node.pinning import pin_ls

        return pin_ls(self._store, mode=mode, name=name, cids=cids)

    def pin_rm(self, path: str | CID | ContentPath, *, recursive: bool = True, spare_platform: bool = False) -> CID:
        """Let go of a pin; the blocks go with the next ``gc``.  ``spare_platform`` refuses one that the API relies on.

        Raises:  PinNotFound, PinConflict.
        """
        from pinfold.node.pinning import pin_rm

        return pin_rm(self._store, self._find(path), recursive=recursive, spare_platform=spare_platform)

    def pin_update(
        self, old: str | CID | ContentPath, new: str | CID | ContentPath, *, unpin: bool = True
    ) -> tuple[CID, CID]:
        """Move a recursive pin to another root in one step.  Raises: PinNotFound, BlockNotFound."""
        from pinfold.node.pinning import pin_update

        return pin_update(self._store, self._find(old), self._find(new), unpin=unpin)

    def pin_verify(self, path: str | CID | ContentPath) -> VerifyReport:
        """Hash every block of one pin again.  Raises: PinNotFound."""
        from pinfold.node.pinning import pin_verify

        return pin_verify(self._store, self._find(path))

    # -- dags ------------------------------------------------------------------------------------------------------

    def dag_import(
        self,
        stream: BinaryIO,
        *,
        pin_roots: bool = True,
        pin_name: str = "",
        keep_pin_name: bool = False,
        max_roots: int | None = None,
        may_use: Callable[[], BitMap] | None = None,
        progress: Report | None = None,
    ) -> Imported:
        """Take in a CAR (version 1 or 2): all of it, every block hashed, or nothing.

        ``may_use`` gives the ids of stored blocks that may complete what the CAR holds; all of them where it is None.
        Raises:  MalformedCar, BlockCorrupt and their kin with the byte offset; IncompleteDag for an incomplete root.
        """
        from pinfold.node.car_import import import_car

        return import_car(
            self._store,
            stream,
            pin_roots=pin_roots,
            pin_name=pin_name,
            keep_pin_name=keep_pin_name,
            max_roots=max_roots,
            may_use=may_use,
            progress=progress,
        )

    def dag_export(self, path: str | CID | ContentPath, fd: int, *, progress: Report | None = None) -> int:
        """Write a DAG as CARv1 to a file descriptor and give the bytes written.  Raises: BlockNotFound before that."""
        from pinfold.node.export import export

        return export(self._store, self._find(path), fd, progress=progress)

    def dag_get(self, path: str | CID | ContentPath) -> Value:
        """The value at a path, inside a block where the path goes on there.  Raises: PathNotFound, BlockNotFound."""
        from pinfold.node.dag import dag_get

        return dag_get(self._store, path)

    def dag_put(
        self,
        value: Value,
        *,
        store_codec: int = DAG_CBOR,
        hash_code: int = multihash.SHA2_256,
        pin: bool = False,
    ) -> CID:
        """Store a value as one block.  Raises: MalformedBlock, UnknownCodec, BlockTooLarge, StoreFull."""
        from pinfold.node.dag import dag_put

        return dag_put(self._store, value, codec=store_codec, hash_code=hash_code, pin=pin)

    def dag_stat(self, paths: Iterable[str | CID | ContentPath]) -> DagStats:
        """Sizes of DAGs, each and together.  Raises: BlockNotFound."""
        from pinfold.node.accounting import dag_stat

        return dag_stat(self._store, paths)

    # -- blocks ----------------------------------------------------------------------------------------------------

    def block_put(
        self,
        data: bytes,
        *,
        codec: int = RAW,
        hash_code: int = multihash.SHA2_256,
        cid_version: int = 1,
        pin: bool = False,
    ) -> CID:
        """Store bytes as one block.  Raises: BlockTooLarge, MalformedBlock, UnknownHash, StoreFull."""
        from pinfold.node.block_ops import block_put

        return block_put(self._store, data, codec=codec, hash_code=hash_code, cid_version=cid_version, pin=pin)

    def block_get(self, path: str | CID | ContentPath) -> bytes:
        """The bytes of one block.  Raises: BlockNotFound."""
        from pinfold.node.block_ops import block_get

        return block_get(self._store, self._find(path))

    def block_stat(self, path: str | CID | ContentPath) -> int:
        """The size of one block in bytes.  Raises: BlockNotFound."""
        from pinfold.node.block_ops import block_stat

        return block_stat(self._store, self._find(path))

    def has(self, cid: CID) -> bool:
        """Whether a block is here."""
        return cid.is_identity or self._store.row(cid.multihash) is not None

    def block_rm(self, cids: Iterable[CID], *, force: bool = False) -> Iterator[CID]:
        """Remove blocks that no pin needs; ``force`` passes over those that are not here.

        Raises:  BlockNotFound, BlockPinned.
        """
        from pinfold.node.block_ops import block_rm

        return block_rm(self._store, cids, force=force)

    # -- upkeep ----------------------------------------------------------------------------------------------------

    def repo_stat(self) -> RepoStat:
        """The store in numbers."""
        from pinfold.store.layout import FORMAT_VERSION

        numbers = self._store.numbers()
        return RepoStat(
            blocks=numbers.blocks,
            size_bytes=numbers.disk_bytes,
            block_bytes=numbers.block_bytes,
            dead_bytes=numbers.dead_bytes,
            pins=numbers.pins,
            segments=numbers.segments,
            path=str(self._data_dir),
            version=FORMAT_VERSION,
        )

    def gc(self, *, dry_run: bool = False, progress: Report | None = None) -> GCReport:
        """Give back the space of what no pin keeps, beside readers and writers.  Raises: StoreFull."""
        report = None if progress is None else lambda done, total: progress(Progress(0, 0, done, total))
        done = self._store.gc(dry_run=dry_run, progress=report)
        return GCReport(
            done.blocks, done.bytes, done.freed_bytes, done.segments_removed, done.segments_rewritten, dry_run
        )

    def refresh(self) -> None:
        """Let go of files that a gc in another process removed; a long-running owner calls it now and then."""
        self._store.refresh(force=True)

    def verify(self, *, progress: Report | None = None) -> VerifyReport:
        """Hash every block again and compare everything with everything."""
        from pinfold.node.checks import verify

        return verify(self._store, progress)

    def repair(self, gateway_urls: Sequence[str], *, progress: Report | None = None) -> RepairReport:
        """Fetch bad and missing blocks of pins from trustless gateways, verified.  Raises: InvalidInput (the URL)."""
        from pinfold.node.fetch import repair

        return repair(self._store, gateway_urls, progress)

    @classmethod
    def rebuild(
        cls, data_dir: str | os.PathLike[str] | None = None, *, progress: Report | None = None
    ) -> RebuildReport:
        """Make a lost or damaged catalogue anew from the segments and the pin journal.

        Raises:  StoreInUse while anybody has the folder open, StoreNewer, StoreUnreadable, StoreFull.
        """
        from pinfold.store.layout import Layout
        from pinfold.store.rebuild import rebuild

        folder = Path(data_dir) if data_dir is not None else default_data_dir()
        report = None if progress is None else lambda done, total: progress(Progress(done, total, 0, 0))
        found = rebuild(Layout(folder.absolute()), progress=report)
        return RebuildReport(
            blocks=found.blocks,
            pins=found.pins,
            segments=found.segments,
            lost_pins=tuple(found.incomplete),
            torn_bytes=found.torn_bytes,
            bad_lines=found.bad_lines,
            journal_missing=found.journal_missing,
        )
