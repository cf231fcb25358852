"""Types of files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pinfold.core.cid import CID
from pinfold.core.tier import Tier
from pinfold.db.file_filters import After
from pinfold.db.files import Duplicate
from pinfold.db.models import FileRow, PinRow
from pinfold.services.pins.model import RequestStatus

FOLDER_TYPE = "inode/directory"
"""The content type of folders."""
SEND_IN_PARTS = (
    "Send it in parts by `/api/v1/files/tus`, or with `pinfold push PATH`. The operator can raise max_upload_bytes "
    "(PINFOLD_MAX_UPLOAD_BYTES)."
)
"""What somebody can do whose file is too large for one upload."""


RAISE_CAR_LIMIT = "The operator can raise max_car_bytes (PINFOLD_MAX_CAR_BYTES; 0 is no limit)."


@dataclass(frozen=True, slots=True)
class Stored:
    """A file or folder whose blocks are in the node, pinned and durable, and of which no row speaks yet."""

    cid: CID
    name: str
    size_bytes: int
    content_type: str
    profile: str
    is_folder: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """What an upload says of its files beside their bytes; it holds for all of them."""

    name: str = ""
    """Instead of the one that came with the bytes; for one file or folder only."""
    tags: Sequence[str] = ()
    meta: dict[str, str] = field(default_factory=dict)
    project_id: str | None = None
    tier: Tier | None = None
    replication_factor_min: int | None = None
    replication_factor_max: int | None = None

    @property
    def has_replication(self) -> bool:
        """Whether it says how many copies there shall be."""
        return (self.tier, self.replication_factor_min, self.replication_factor_max) != (None, None, None)


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One uploaded file or folder."""

    id: str
    cid: CID
    name: str
    size_bytes: int
    content_type: str
    is_folder: bool
    profile: str
    tags: tuple[str, ...]
    meta: dict[str, str]
    project_id: str | None
    tier: str | None
    replication_factor_min: int
    replication_factor_max: int
    created_at: datetime
    updated_at: datetime
    pin_status: RequestStatus
    pin_error: str | None
    duplicate: Duplicate | None = None
    """What the upload met; None where the record was not just uploaded."""

    @classmethod
    def of_rows(cls, file: FileRow, pin: PinRow, duplicate: Duplicate | None = None) -> FileRecord:
        """The record that a file's row and its pin's row hold."""
        return cls(
            id=file.id,
            cid=CID.parse(file.cid),
            name=file.name,
            size_bytes=file.size_bytes,
            content_type=file.content_type,
            is_folder=file.is_folder,
            profile=file.profile,
            tags=tuple(file.tags),
            meta=dict(file.meta),
            project_id=file.project_id,
            tier=pin.tier,
            replication_factor_min=pin.replication_factor_min,
            replication_factor_max=pin.replication_factor_max,
            created_at=file.created_at,
            updated_at=file.updated_at,
            pin_status=RequestStatus(pin.status),
            pin_error=pin.error,
            duplicate=duplicate,
        )


@dataclass(frozen=True, slots=True)
class FilesPage:
    """One page of files."""

    files: tuple[FileRecord, ...]
    total: int
    """Files on all pages."""
    total_is_exact: bool
    next_after: After | None
    """Where the next page begins; None on the last one."""


@dataclass(frozen=True, slots=True)
class Popular:
    """A file that people read, and how often."""

    file: FileRecord
    requests: int
    egress_bytes: int


@dataclass(frozen=True, slots=True)
class TypeStats:
    """Files of one content type."""

    content_type: str
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FileStats:
    """All files of an organisation in numbers."""

    files: int
    size_bytes: int
    types: tuple[TypeStats, ...]
