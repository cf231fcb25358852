"""Queries about resumable uploads; a row's offset never says more than what is durable in its file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from pinfold.db import reservations
from pinfold.db.models import TokenRow
from pinfold.db.models import TusUploadRow as Row


def insert(
    session: Session,
    upload_id: str,
    token_id: str | None,
    length_bytes: int | None,
    meta: dict[str, str],
    reservation_id: str | None,
    now: datetime,
    expires_at: datetime,
    *,
    offset_bytes: int = 0,
    is_partial: bool = False,
) -> Row:
    """A new upload of the organisation that the session is bound to; no length is one that is not known yet."""
    row = Row(
        id=upload_id,
        token_id=token_id,
        length_bytes=length_bytes,
        offset_bytes=offset_bytes,
        is_partial=is_partial,
        meta=meta,
        reservation_id=reservation_id,
        created_at=now,
        expires_at=expires_at,
    )
    session.add(row)
    return row


def get(session: Session, upload_id: str) -> Row | None:
    """One upload."""
    return session.scalar(select(Row).where(Row.id == upload_id))


def advance(session: Session, upload_id: str, offset_bytes: int, expires_at: datetime) -> bool:
    """Whether the upload is still there: then so much of it is durable, and it and its room are kept for longer.

    In a session for everybody.
    """
    row = session.execute(
        update(Row)
        .where(Row.id == upload_id)
        .values(offset_bytes=offset_bytes, expires_at=expires_at)
        .execution_options(synchronize_session=False)
        .returning(Row.reservation_id)
    ).first()
    if row is None:
        return False
    if row[0] is not None:
        reservations.extend(session, [row[0]], expires_at)
    return True


def set_length(session: Session, upload_id: str, length_bytes: int) -> None:
    """The length is known now."""
    session.execute(
        update(Row)
        .where(Row.id == upload_id, Row.length_bytes.is_(None))
        .values(length_bytes=length_bytes)
        .execution_options(synchronize_session=False)
    )


def complete(session: Session, upload_id: str, file_id: str) -> None:
    """It has become a file."""
    session.execute(
        update(Row).where(Row.id == upload_id).values(file_id=file_id).execution_options(synchronize_session=False)
    )


def remove(session: Session, upload_id: str) -> None:
    """Forget one."""
    session.execute(delete(Row).where(Row.id == upload_id).execution_options(synchronize_session=False))


def expired(session: Session, now: datetime, after: str, limit: int) -> Sequence[Row]:
    """Uploads past their end that are no files, by id, behind ``after``; in a session for everybody."""
    return session.scalars(
        select(Row).where(Row.expires_at <= now, Row.file_id.is_(None), Row.id > after).order_by(Row.id).limit(limit)
    ).all()


def unfinished(session: Session, after: str, limit: int) -> Sequence[Row]:
    """Uploads of which every byte is here and that are no files yet, by id; in a session for everybody.

    Those whose token was revoked are left out: who has another can finish them, until they expire.
    """
    revoked = select(TokenRow.id).where(TokenRow.id == Row.token_id, TokenRow.revoked_at.is_not(None)).exists()
    return session.scalars(
        select(Row)
        .where(Row.offset_bytes == Row.length_bytes, Row.is_partial.is_(False), Row.file_id.is_(None))
        .where(Row.id > after, ~revoked)
        .order_by(Row.id)
        .limit(limit)
    ).all()


def forget(session: Session, before: datetime) -> int:
    """Forget all whose end was long ago; how many those were.  In a session for everybody."""
    gone = session.execute(
        delete(Row).where(Row.expires_at <= before).execution_options(synchronize_session=False).returning(Row.id)
    )
    return len(gone.all())


def known(session: Session, upload_ids: Sequence[str]) -> set[str]:
    """Those of the ids that are uploads; in a session for everybody."""
    return set(session.scalars(select(Row.id).where(Row.id.in_(upload_ids))))
