"""What the node takes and gives: plain values, nothing that does anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

from pinfold.core.cid import CID
from pinfold.core.pin import PinMode
from pinfold.unixfs.profile import Profile, profile


@dataclass(frozen=True, slots=True)
class AddOptions:
    """How an add cuts, builds, filters and pins; the defaults are the program's."""

    profile: Profile = field(default_factory=profile)
    pin: bool = True
    pin_name: str = ""
    keep_pin_name: bool = False
    """Leave the name of a pin that is there already; else ``pin_name``, where given, replaces it."""
    only_hash: bool = False
    """Compute CIDs and write nothing."""
    wrap: bool = False
    """Put what is added into one new folder."""
    hidden: bool = False
    """Take names that begin with a dot, too (a path that was named itself is always taken)."""
    ignore: tuple[str, ...] = ()
    """Patterns in .gitignore's language."""
    ignore_files: tuple[str, ...] = ()
    """Files that hold such patterns."""
    preserve_mode: bool = False
    preserve_mtime: bool = False


class Added(NamedTuple):
    """One file, folder or link that was added."""

    path: str
    """The name as given, then the path inside it; the CID's text for unnamed streams."""
    cid: CID
    size_bytes: int
    """All blocks of it together (Kubo's `Size`)."""
    kind: Literal["file", "directory", "symlink"]
    is_root: bool
    """Whether this is one of the things asked for (or the wrapping folder)."""
    file_bytes: int = 0
    """Bytes of content: of the file, or of all files below."""


class Progress(NamedTuple):
    """Where a long operation stands; totals are 0 where nobody knows them."""

    bytes_done: int
    bytes_total: int
    items_done: int
    items_total: int


class DirEntry(NamedTuple):
    """One name in a folder."""

    name: str
    cid: CID
    size_bytes: int
    """Content bytes of a file; cumulative block bytes of a folder."""
    kind: Literal["file", "directory", "symlink", "unknown"]


class FolderLink(NamedTuple):
    """One name in a folder, as the folder itself says it; what it leads to was not read."""

    name: bytes
    cid: bytes
    """Binary."""
    tsize: int
    """What the link claims: the bytes of all blocks below."""


class Ref(NamedTuple):
    """One link of a DAG."""

    parent: CID
    cid: CID
    name: str


class Resolved(NamedTuple):
    """Where a path leads."""

    cid: CID
    remainder: tuple[str, ...]
    """Segments that name something inside the block (dag-cbor, dag-json)."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What is known of a path without reading the content."""

    cid: CID
    kind: Literal["file", "directory", "hamt", "symlink", "raw", "dag"]
    size_bytes: int
    """Content bytes of a file; 0 of a folder."""
    cumulative_bytes: int
    """Distinct blocks of the DAG together."""
    blocks: int
    unique_bytes: int
    """Bytes that no pin but this root's own (if any) needs."""
    shared_bytes: int
    """Bytes that other pins need as well."""
    freed_by_unpin_bytes: int
    """What gc would give back after this root's pin is removed (0 when it is not pinned)."""
    pinned: PinMode | None
    missing_blocks: int = 0
    mode: int | None = None
    mtime: tuple[int, int] | None = None


class DagStat(NamedTuple):
    """The size of one DAG."""

    cid: CID
    size_bytes: int
    blocks: int


@dataclass(frozen=True, slots=True)
class DagStats:
    """Sizes of several DAGs, each and together."""

    dags: tuple[DagStat, ...]
    unique_blocks: int
    total_bytes: int
    """Blocks counted once."""
    redundant_bytes: int
    """What counting each DAG alone would add."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import brought."""

    roots: tuple[CID, ...]
    pinned: tuple[CID, ...]
    blocks: int
    """Blocks in the CAR."""
    new_blocks: int
    bytes: int
    """Block bytes in the CAR."""


class ProblemKind(StrEnum):
    """What a check can find wrong."""

    MISSING_BLOCK = "missing-block"
    """A pin reaches a block that is not here."""
    CORRUPT_BLOCK = "corrupt-block"
    """The bytes do not match the CID."""
    BAD_SEGMENT = "bad-segment"
    """A segment is missing, or has bytes that are no record."""
    BAD_CATALOGUE = "bad-catalogue"
    """The catalogue says something the segments do not."""
    BAD_JOURNAL = "bad-journal"
    """The pin journal has a line that cannot be read, or contradicts the catalogue."""


class Problem(NamedTuple):
    """One thing a check found wrong."""

    kind: ProblemKind
    message: str
    cid: CID | None = None
    pins: tuple[CID, ...] = ()
    """Pins that need it (at most a handful)."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The outcome of a check."""

    blocks: int
    bytes: int
    pins: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found wrong."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair could mend."""

    repaired: tuple[CID, ...]
    failed: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class RepoStat:
    """The store in numbers."""

    blocks: int
    size_bytes: int
    """Bytes on disk: segments, catalogue and journal."""
    block_bytes: int
    """Block payload bytes."""
    dead_bytes: int
    """Bytes in segments that no catalogued block uses; gc gives them back."""
    pins: int
    segments: int
    path: str
    version: int


@dataclass(frozen=True, slots=True)
class GCReport:
    """What gc removed, or would remove."""

    blocks: int
    bytes: int
    """Payload bytes of those blocks."""
    freed_bytes: int
    """Bytes given back to the file system."""
    segments_removed: int
    segments_rewritten: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What was found while the catalogue was made anew."""

    blocks: int
    pins: int
    segments: int
    lost_pins: tuple[CID, ...]
    """Pins whose blocks are not all here; they stay pinned and `repo repair` can fetch the rest."""
    torn_bytes: int
    """Bytes of unfinished records that were cut off."""
    bad_lines: int = 0
    """Lines of the pin journal that could not be read: pins that only they held are lost."""
    journal_missing: bool = False
    """There was no pin journal, so that no pin could be restored."""
