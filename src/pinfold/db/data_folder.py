"""Which data folder the database belongs to."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from pinfold.db.models import DataFolderRow, PinRow


def bound_to(session: Session) -> str | None:
    """The id of the folder; None where the database was never used with one."""
    return session.scalar(select(DataFolderRow.id))


def bind(session: Session, folder_id: str) -> None:
    """Let the database belong to a folder, unless it belongs to one."""
    if bound_to(session) is None:
        session.add(DataFolderRow(id=folder_id))


def has_pins(session: Session) -> bool:
    """Whether anything is to be kept at all."""
    return session.scalar(select(PinRow.id).limit(1)) is not None
