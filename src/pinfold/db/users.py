"""Queries about people."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pinfold.db.models import UserRow
from pinfold.db.paging import Page, Wanted, page_of


def insert(session: Session, email: str, name: str, password_hash: str | None, now: datetime) -> UserRow:
    """A new user."""
    row = UserRow(email=email, name=name, password_hash=password_hash, status="active", created_at=now, updated_at=now)
    session.add(row)
    session.flush()
    return row


def get(session: Session, user_id: str) -> UserRow | None:
    """One user."""
    return session.get(UserRow, user_id)


def by_email(session: Session, email: str) -> UserRow | None:
    """The user of an e-mail address in lower case."""
    return session.scalar(select(UserRow).where(UserRow.email == email))


def count_administrators(session: Session) -> int:
    """How many active administrators of the server there are."""
    where = (UserRow.is_administrator.is_(True), UserRow.status == "active")
    return session.scalar(select(func.count()).select_from(UserRow).where(*where)) or 0


def page(session: Session, wanted: Wanted) -> Page[UserRow]:
    """Users, newest first."""
    return page_of(session, select(UserRow), UserRow.id, wanted)
