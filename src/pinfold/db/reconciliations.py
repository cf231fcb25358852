"""Queries about roots whose wish and reality may differ, and who looks at which."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from pinfold.db.models import ReconciliationRow as Row


def mark_due(session: Session, root: str, now: datetime) -> None:
    """Have somebody look at ``root`` at once, with a fresh count of attempts."""
    row = session.get(Row, root)
    if row is None:
        session.add(Row(root=root, generation=1, due_at=now, attempts=0))
    else:
        row.generation += 1
        row.due_at = now
        row.attempts = 0
    session.flush()


def lease(session: Session, owner: str, limit: int, now: datetime, until: datetime) -> Sequence[Row]:
    """Up to ``limit`` due rows that nobody holds, now held by ``owner`` until ``until``."""
    free = or_(Row.lease_owner.is_(None), Row.lease_expires_at <= now)
    rows = session.scalars(select(Row).where(Row.due_at <= now, free).order_by(Row.due_at).limit(limit)).all()
    leased = []
    for row in rows:
        taken = session.execute(  # guarded: where two workers chose the same row, one of them gets it
            update(Row)
            .where(Row.root == row.root, free)
            .values(lease_owner=owner, lease_expires_at=until)
            .execution_options(synchronize_session=False)
            .returning(Row.root)
        ).first()
        if taken is not None:
            leased.append(row)
    session.expunge_all()
    return leased


def extend(session: Session, owner: str, roots: Sequence[str], until: datetime) -> None:
    """Keep holding rows whose work takes longer."""
    session.execute(update(Row).where(Row.root.in_(roots), Row.lease_owner == owner).values(lease_expires_at=until))


def settle(session: Session, owner: str, root: str, generation: int) -> bool:
    """Whether nothing changed meanwhile: then the row is gone, else it is due again."""
    gone = session.execute(
        delete(Row).where(Row.root == root, Row.lease_owner == owner, Row.generation == generation).returning(Row.root)
    ).first()
    if gone is None:
        release(session, owner, root)
    return gone is not None


def retry(session: Session, owner: str, root: str, generation: int, due_at: datetime) -> bool:
    """Whether nothing changed meanwhile: then the row is due at ``due_at``, else it stays due at once."""
    put_off = session.execute(
        update(Row)
        .where(Row.root == root, Row.lease_owner == owner, Row.generation == generation)
        .values(lease_owner=None, lease_expires_at=None, attempts=Row.attempts + 1, due_at=due_at)
        .returning(Row.root)
    ).first()
    if put_off is None:
        release(session, owner, root)
    return put_off is not None


def release(session: Session, owner: str, root: str) -> None:
    """Let go of a row, its due time as it is."""
    session.execute(
        update(Row).where(Row.root == root, Row.lease_owner == owner).values(lease_owner=None, lease_expires_at=None)
    )


def release_all(session: Session) -> None:
    """Let go of every row: for the start of the only process there is."""
    session.execute(update(Row).where(Row.lease_owner.is_not(None)).values(lease_owner=None, lease_expires_at=None))


def of_root(session: Session, root: str) -> Row | None:
    """The row of one root, if it is to be looked at."""
    return session.get(Row, root)


def next_due(session: Session) -> datetime | None:
    """When the first row that nobody holds is due."""
    earliest = select(func.min(Row.due_at)).where(Row.lease_owner.is_(None))
    return session.scalar(earliest)
