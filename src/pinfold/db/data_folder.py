"""Which data folder the database belongs to."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pinfold.db.models import DataFolderRow, PinRow


def bound_to(session: Session) -> str | None:
    """The id of the folder; None where the database was never used with one."""
    return session.scalar(select(DataFolderRow.id))


def bind(session: Session, folder_id: str) -> None:
    """Let the database belong to a folder, unless it belongs to one."""
    if bound_to(session) is None:
        session.add(DataFolderRow(id=folder_id))


def count_known(session: Session, roots: Sequence[str]) -> int:
    """How many of these roots some request names."""
    asked = select(func.count(PinRow.root.distinct())).where(PinRow.root.in_(roots))
    return session.scalar(asked) or 0


def has_pins(session: Session) -> bool:
    """Whether anything is to be kept at all."""
    return session.scalar(select(PinRow.id).limit(1)) is not None
