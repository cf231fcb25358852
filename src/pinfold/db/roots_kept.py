"""Queries about which roots an organisation keeps: those of its files, and of its requests that are pinned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from pinfold.db.models import PinRow


def _is_kept() -> ColumnElement[bool]:
    # A file's content came from the organisation itself; that of a request is only known to be there once it is pinned.
    return or_(PinRow.of_file, PinRow.status == "pinned")


def keeps(session: Session, root: str) -> bool:
    """Whether the organisation keeps this root."""
    return session.scalar(select(PinRow.number).where(PinRow.root == root, _is_kept()).limit(1)) is not None


def newest_before(
    session: Session, of_file: bool, before: datetime | None, limit: int
) -> Sequence[tuple[datetime, str]]:
    """Up to ``limit`` roots that files, or requests of their own, keep, the newest first, made ``before`` a time."""
    statement = select(PinRow.created_at, PinRow.root).where(PinRow.of_file.is_(of_file))
    if not of_file:
        statement = statement.where(PinRow.status == "pinned")
    if before is not None:
        statement = statement.where(PinRow.created_at < before)
    rows = session.execute(statement.order_by(PinRow.created_at.desc()).limit(limit))
    return [(made, root) for made, root in rows]


def all_kept(session: Session) -> set[str]:
    """Every root that the organisation keeps, or kept before it failed: its size counts in the quota then."""
    return set(session.scalars(select(PinRow.root).where(or_(_is_kept(), PinRow.size_bytes > 0)).distinct()))


def has_others(session: Session, organisation_id: str) -> bool:
    """Whether any other organisation keeps something."""
    return session.scalar(select(PinRow.number).where(PinRow.organisation_id != organisation_id).limit(1)) is not None
