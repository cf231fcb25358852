"""Queries about room that uploads under way have taken from their organisation's quota.

A reservation is taken and given back under the lock of the organisation's totals, so what is used and what is
reserved never go over the quota together, however many callers ask at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from pinfold.core.errors import QuotaExceeded, RecordNotFound
from pinfold.db import changes
from pinfold.db.changes import SYSTEM, Change
from pinfold.db.models import ReservationRow, TotalsRow


def take(session: Session, size_bytes: int, files: int, expires_at: datetime, now: datetime) -> str:
    """The id of a new reservation of the organisation that the session is bound to.

    Raises:  QuotaExceeded, RecordNotFound where the organisation is gone.
    """
    change = changes.begin(session, SYSTEM, now)
    change.require_room(files=files, logical_bytes=size_bytes)
    change.reserve(files=files, size_bytes=size_bytes)
    row = ReservationRow(organisation_id=change.organisation_id, bytes=size_bytes, files=files, expires_at=expires_at)
    session.add(row)
    session.flush()
    return row.id


def grow(session: Session, reservation_id: str, more_bytes: int, more_files: int, now: datetime) -> None:
    """Take more for the same reservation; what was taken before stays taken where it is too much.

    Raises:  QuotaExceeded, RecordNotFound where the reservation has expired.
    """
    change, row = _held(session, reservation_id, now)
    change.require_room(files=more_files, logical_bytes=more_bytes)
    change.reserve(files=more_files, size_bytes=more_bytes)
    row.bytes += more_bytes
    row.files += more_files


def cover(session: Session, reservation_id: str, size_bytes: int, step_bytes: int, now: datetime) -> int:
    """The bytes of a reservation, at least ``size_bytes``: ``step_bytes`` more at a time where they fit.

    Raises:  QuotaExceeded, RecordNotFound where the reservation has expired.
    """
    change, row = _held(session, reservation_id, now)
    missing = size_bytes - row.bytes
    if missing > 0:
        more = max(missing, step_bytes)
        try:
            change.require_room(logical_bytes=more)
        except QuotaExceeded:
            more = missing
            change.require_room(logical_bytes=more)
        change.reserve(size_bytes=more)
        row.bytes += more
    return row.bytes


def fit(session: Session, reservation_id: str, size_bytes: int, now: datetime) -> None:
    """Have a reservation hold just so many bytes.  Raises: QuotaExceeded, RecordNotFound."""
    change, row = _held(session, reservation_id, now)
    change.require_room(logical_bytes=size_bytes - row.bytes)
    change.reserve(size_bytes=size_bytes - row.bytes)
    row.bytes = size_bytes


def merge(
    session: Session, reservation_ids: Sequence[str], size_bytes: int, files: int, expires_at: datetime, now: datetime
) -> str:
    """The id of a reservation in the place of others, whose room is given back first.  Raises: QuotaExceeded."""
    change = changes.begin(session, SYSTEM, now)
    for reservation_id in reservation_ids:
        settle(session, change, reservation_id)
    return take(session, size_bytes, files, expires_at, now)


def _held(session: Session, reservation_id: str, now: datetime) -> tuple[Change, ReservationRow]:
    change = changes.begin(session, SYSTEM, now)
    row = session.get(ReservationRow, reservation_id)
    if row is None:
        raise RecordNotFound("the room that was reserved for this upload was given back: it took too long")
    return change, row


def extend(session: Session, reservation_ids: Sequence[str], expires_at: datetime) -> None:
    """Have their holder live until ``expires_at``; in a session for everybody."""
    session.execute(
        update(ReservationRow)
        .where(ReservationRow.id.in_(reservation_ids), ReservationRow.expires_at < expires_at)
        .values(expires_at=expires_at)
        .execution_options(synchronize_session=False)
    )


def release(session: Session, reservation_id: str, now: datetime) -> None:
    """Give the room back; nothing where that has happened already."""
    settle(session, changes.begin(session, SYSTEM, now), reservation_id)


def settle(session: Session, change: Change, reservation_id: str | None) -> None:
    """Give the room back in the transaction that counts the files, which asks ``require_room`` after this.

    Whoever reserved nothing, or too long ago, has nothing to give back: ``require_room`` decides then as for anybody.
    """
    row = session.get(ReservationRow, reservation_id) if reservation_id else None
    if row is None:
        return
    if row.organisation_id != change.organisation_id:
        raise RecordNotFound("there is no such reservation")
    change.reserve(files=-row.files, size_bytes=-row.bytes)
    session.delete(row)
    session.flush()


def release_expired(session: Session, now: datetime, limit: int = 1000) -> int:
    """Give back what dead holders had, in a session for everybody; how many reservations that were."""
    expired = session.execute(
        select(ReservationRow.organisation_id, ReservationRow.id)
        .where(ReservationRow.expires_at <= now)
        .order_by(ReservationRow.organisation_id)
        .limit(limit)
    ).all()
    released = 0
    for organisation_id, rows in groupby(expired, lambda row: row[0]):
        change = changes.begin_for(session, organisation_id, SYSTEM, now)
        # Under the lock of the totals once more: its holder may have given it back, or moved its end on.
        gone = session.execute(
            delete(ReservationRow)
            .where(ReservationRow.id.in_([row[1] for row in rows]), ReservationRow.expires_at <= now)
            .returning(ReservationRow.bytes, ReservationRow.files)
            .execution_options(synchronize_session=False)
        ).all()
        change.reserve(files=-sum(files for _, files in gone), size_bytes=-sum(size for size, _ in gone))
        released += len(gone)
    return released


def room(session: Session, organisation_id: str) -> tuple[int | None, int | None, int | None]:
    """Bytes, files and pins that still fit; None is no limit.  Raises: RecordNotFound."""
    quota = changes.quota_of(session, organisation_id)
    totals = session.get_one(TotalsRow, organisation_id)

    def left(limit: int | None, used: int) -> int | None:
        return None if limit is None else max(0, limit - used)

    return (
        left(quota.bytes, totals.logical_bytes + totals.reserved_bytes),
        left(quota.files, totals.files + totals.reserved_files),
        left(quota.pins, totals.pins),
    )
