"""Queries about uploaded files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from pinfold.db import pins
from pinfold.db.models import FileRow, PinRow


@dataclass(frozen=True, slots=True)
class NewFile:
    """What a file row is made of."""

    cid: str
    root: str
    name: str
    size_bytes: int
    content_type: str
    profile: str


def insert(session: Session, new_files: Sequence[NewFile], now: datetime) -> list[tuple[FileRow, PinRow]]:
    """The files, each with its pin request, queued."""
    rows = []
    for new in new_files:
        pin = pins.insert(session, new.cid, new.root, new.name, now)
        file = FileRow(
            pin_id=pin.id,
            cid=new.cid,
            name=new.name,
            size_bytes=new.size_bytes,
            content_type=new.content_type,
            profile=new.profile,
            created_at=now,
        )
        session.add(file)
        session.flush()
        rows.append((file, pin))
    return rows


def get(session: Session, file_id: str) -> tuple[FileRow, PinRow] | None:
    """One file and its pin request."""
    row = session.execute(select(FileRow, PinRow).join_from(FileRow, PinRow).where(FileRow.id == file_id)).first()
    return None if row is None else (row[0], row[1])


def page(session: Session, offset: int, limit: int) -> tuple[list[tuple[FileRow, PinRow]], int]:
    """One page of files, newest first, and how many there are in all."""
    total = session.scalar(select(func.count()).select_from(FileRow)) or 0
    # The ids of the page first: an offset over the index alone does not touch the rows it skips.
    ids = select(FileRow.id).order_by(FileRow.id.desc()).offset(offset).limit(limit).subquery()
    rows = session.execute(
        select(FileRow, PinRow)
        .join_from(FileRow, PinRow)
        .where(FileRow.id.in_(select(ids.c.id)))
        .order_by(FileRow.id.desc())
    )
    return [(row[0], row[1]) for row in rows], total


def remove(session: Session, file_id: str, now: datetime) -> bool:
    """Whether there was such a file; it and its pin request are gone."""
    found = get(session, file_id)
    if found is None:
        return False
    file, pin = found
    session.execute(delete(FileRow).where(FileRow.id == file.id))
    pins.remove(session, pin.id, pin.root, now)
    return True
