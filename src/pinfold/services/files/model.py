"""Types of files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pinfold.core.cid import CID
from pinfold.db.models import FileRow, PinRow
from pinfold.services.pins.model import RequestStatus


@dataclass(frozen=True, slots=True)
class Stored:
    """A file whose blocks are in the node, pinned and durable, and of which no row speaks yet."""

    cid: CID
    name: str
    size_bytes: int
    content_type: str
    profile: str


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One uploaded file."""

    id: str
    cid: CID
    name: str
    size_bytes: int
    content_type: str
    created_at: datetime
    pin_status: RequestStatus
    pin_error: str | None

    @classmethod
    def of_rows(cls, file: FileRow, pin: PinRow) -> FileRecord:
        """The record that a file's row and its pin's row hold."""
        return cls(
            id=file.id,
            cid=CID.parse(file.cid),
            name=file.name,
            size_bytes=file.size_bytes,
            content_type=file.content_type,
            created_at=file.created_at,
            pin_status=RequestStatus(pin.status),
            pin_error=pin.error,
        )


@dataclass(frozen=True, slots=True)
class FilesPage:
    """One page of files, newest first."""

    files: tuple[FileRecord, ...]
    total: int
    """Files on all pages."""
