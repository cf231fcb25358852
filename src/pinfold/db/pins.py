"""Queries about pin requests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session

from pinfold.db import reconciliations
from pinfold.db.models import FileRow, PinRow


def insert(session: Session, cid: str, root: str, name: str, now: datetime) -> PinRow:
    """A new request, queued, its root due at once."""
    row = PinRow(cid=cid, root=root, name=name, status="queued", created_at=now, updated_at=now)
    session.add(row)
    session.flush()
    reconciliations.mark_due(session, root, now)
    return row


def ask_again(session: Session, cid: str, root: str, name: str, now: datetime) -> PinRow:
    """The request for ``cid`` by that name that no file made, looked at afresh; a new one where there is none."""
    of_a_file = exists().where(FileRow.pin_id == PinRow.id)
    row = session.scalar(select(PinRow).where(PinRow.root == root, PinRow.name == name, ~of_a_file).limit(1))
    if row is None:
        return insert(session, cid, root, name, now)
    if row.status != "pinned":
        row.status, row.error, row.updated_at = "queued", None, now
    reconciliations.mark_due(session, root, now)
    return row


def of_root(session: Session, root: str) -> Sequence[PinRow]:
    """All requests for one root, oldest first."""
    return session.scalars(select(PinRow).where(PinRow.root == root).order_by(PinRow.id)).all()


def is_wanted(session: Session, root: str) -> bool:
    """Whether any request names the root."""
    return session.scalar(select(PinRow.id).where(PinRow.root == root).limit(1)) is not None


def wanted_after(session: Session, root: str, limit: int) -> Sequence[str]:
    """Up to ``limit`` roots that requests name and that sort after ``root``, in order."""
    return session.scalars(
        select(PinRow.root).where(PinRow.root > root).distinct().order_by(PinRow.root).limit(limit)
    ).all()


def set_status(session: Session, root: str, status: str, error: str | None, now: datetime) -> None:
    """Give every request for ``root`` the status."""
    session.execute(
        update(PinRow)
        .where(PinRow.root == root, (PinRow.status != status) | PinRow.error.is_distinct_from(error))
        .values(status=status, error=error, updated_at=now)
    )


def remove(session: Session, pin_id: str, root: str, now: datetime) -> None:
    """Forget one request; its root is due, for it may be wanted by nobody now."""
    session.execute(delete(PinRow).where(PinRow.id == pin_id))
    reconciliations.mark_due(session, root, now)
