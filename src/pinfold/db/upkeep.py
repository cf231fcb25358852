"""Queries about periodic work: when it is due next, and which process does it now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from pinfold.db import dialect
from pinfold.db.models import PeriodicJobRow as Row


def known(session: Session, names: Sequence[str], now: datetime) -> None:
    """Have a row for each of these, due at once where it is new."""
    rows = [{"name": name, "due_at": now} for name in sorted(names)]
    session.execute(dialect.insert(session, Row).values(rows).on_conflict_do_nothing())


def due(session: Session, names: Sequence[str], now: datetime) -> Sequence[str]:
    """Which of these are due and held by nobody, the longest due first."""
    return session.scalars(
        select(Row.name)
        .where(Row.name.in_(names), Row.due_at <= now, or_(Row.lease_owner.is_(None), Row.lease_expires_at <= now))
        .order_by(Row.due_at)
    ).all()


def lease(session: Session, name: str, owner: str, now: datetime, until: datetime) -> bool:
    """Whether the work is due and was held by nobody: then ``owner`` holds it until ``until``."""
    taken = session.execute(
        update(Row)
        .where(Row.name == name, Row.due_at <= now, or_(Row.lease_owner.is_(None), Row.lease_expires_at <= now))
        .values(lease_owner=owner, lease_expires_at=until)
        .execution_options(synchronize_session=False)
        .returning(Row.name)
    ).first()
    return taken is not None


def extend(session: Session, name: str, owner: str, until: datetime) -> None:
    """Keep holding work that takes longer."""
    session.execute(
        update(Row)
        .where(Row.name == name, Row.lease_owner == owner)
        .values(lease_expires_at=until)
        .execution_options(synchronize_session=False)
    )


def settle(
    session: Session, name: str, owner: str, due_at: datetime, *, succeeded_at: datetime | None, error: str | None
) -> None:
    """Let go of the work, due again at ``due_at``; nothing where another process has it by now."""
    values: dict[str, object] = {"due_at": due_at, "lease_owner": None, "lease_expires_at": None, "error": error}
    if succeeded_at is not None:
        values["succeeded_at"] = succeeded_at
    session.execute(
        update(Row)
        .where(Row.name == name, Row.lease_owner == owner)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def release_all(session: Session) -> None:
    """Let go of all work: for the start of the only process there is."""
    session.execute(
        update(Row)
        .where(Row.lease_owner.is_not(None))
        .values(lease_owner=None, lease_expires_at=None)
        .execution_options(synchronize_session=False)
    )


def last_success(session: Session) -> datetime | None:
    """When any periodic work was done last; None where none ever was."""
    return session.scalar(select(func.max(Row.succeeded_at)))


def of_all(session: Session) -> Sequence[Row]:
    """Every periodic work there is."""
    return session.scalars(select(Row).order_by(Row.name)).all()


def touch(session: Session) -> None:
    """Write, and change nothing: a database that cannot be written to fails at it."""
    session.execute(update(Row).where(Row.name == "").values(error=None).execution_options(synchronize_session=False))
