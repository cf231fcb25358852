"""Queries about people."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pinfold.db.dialect import for_update
from pinfold.db.models import UserRow
from pinfold.db.paging import Page, Wanted, page_of

MOST_FAILURES: Final = 10
"""Wrong passwords in a row, the last of which locks the account."""
_FIRST_LOCK: Final = timedelta(minutes=15)
_LONGEST_LOCK: Final = timedelta(hours=24)  # nobody can lock a person out for longer by guessing once a day


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


def begin_sign_in(session: Session, email: str, now: datetime) -> UserRow | None:
    """The user who may try a password now, the try counted before anybody looks at it; else None.

    So a thousand tries at once are a thousand tries; ``signed_in`` takes the count back for the one that was right.
    """
    user: UserRow | None = session.scalar(for_update(select(UserRow).where(UserRow.email == email)))
    if user is None or user.status != "active" or (user.locked_until is not None and user.locked_until > now):
        return None
    user.failed_sign_ins += 1
    beyond = user.failed_sign_ins - MOST_FAILURES
    if beyond >= 0:
        user.locked_until = now + min(_LONGEST_LOCK, _FIRST_LOCK * 2 ** min(beyond, 10))
    session.flush()
    return user


def signed_in(session: Session, user_id: str, now: datetime) -> None:
    """Note that the password was right."""
    user = session.get_one(UserRow, user_id)
    user.failed_sign_ins, user.locked_until, user.last_sign_in_at = 0, None, now
