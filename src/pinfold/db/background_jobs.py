"""Queries about what was asked for and takes long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from pinfold.db import dialect
from pinfold.db.models import BackgroundJobRow as Row


def insert(session: Session, kind: str, argument: dict[str, Any], now: datetime) -> Row:
    """A new job of the organisation that the session is bound to, due at once."""
    row = Row(kind=kind, argument=argument, result={}, status="queued", attempts=0, due_at=now, created_at=now)
    session.add(row)
    session.flush()
    return row


def waiting(session: Session, kind: str, limit: int) -> int:
    """How many jobs of a kind are queued or running, counted up to ``limit``."""
    some = select(Row.id).where(Row.kind == kind, Row.status.in_(("queued", "running"))).limit(limit)
    return len(session.scalars(some).all())


def get(session: Session, job_id: str) -> Row | None:
    """One job."""
    return session.scalar(select(Row).where(Row.id == job_id))


def lease(
    session: Session, owner: str, kinds: Sequence[str], now: datetime, until: datetime, after: str = ""
) -> Row | None:
    """A due job, now held by ``owner`` until ``until``; None where there is none.  In a session for all tenants.

    It is the oldest of the first organisation behind ``after``, beginning anew at the end, that has no job running
    anywhere: organisations take turns, and each has one at a time.
    """
    running = aliased(Row)
    is_busy = exists().where(
        running.organisation_id == Row.organisation_id, running.status == "running", running.lease_expires_at > now
    )
    due = select(Row.id).where(_is_due(now), Row.kind.in_(kinds), ~is_busy)
    due = due.order_by(Row.organisation_id, Row.due_at).limit(1)
    job_id = session.scalar(dialect.for_update(due.where(Row.organisation_id > after), skip_locked=True, of=Row))
    if job_id is None:
        job_id = session.scalar(dialect.for_update(due, skip_locked=True, of=Row))
    if job_id is None:
        return None
    return session.scalar(
        update(Row)
        .where(Row.id == job_id, _is_due(now))
        .values(status="running", lease_owner=owner, lease_expires_at=until, attempts=Row.attempts + 1)
        .execution_options(synchronize_session=False)
        .returning(Row)
    )


def _is_due(now: datetime) -> ColumnElement[bool]:
    queued = and_(Row.status == "queued", Row.due_at <= now)
    return or_(queued, and_(Row.status == "running", Row.lease_expires_at <= now))


def extend(session: Session, owner: str, job_id: str, until: datetime) -> None:
    """Keep holding a job that takes longer."""
    session.execute(
        update(Row)
        .where(Row.id == job_id, Row.lease_owner == owner)
        .values(lease_expires_at=until)
        .execution_options(synchronize_session=False)
    )


def finish(
    session: Session, owner: str, job_id: str, now: datetime, *, result: dict[str, Any] | None, error: str | None
) -> None:
    """Record what came of a job, unless somebody else holds it now."""
    session.execute(
        update(Row)
        .where(Row.id == job_id, Row.lease_owner == owner)
        .values(
            status="done" if error is None else "failed",
            result=result or {},
            error=error,
            finished_at=now,
            lease_owner=None,
            lease_expires_at=None,
        )
        .execution_options(synchronize_session=False)
    )


def give_back(session: Session, owner: str, job_id: str) -> None:
    """Have another process begin a job anew; this attempt does not count."""
    session.execute(
        update(Row)
        .where(Row.id == job_id, Row.lease_owner == owner)
        .values(status="queued", attempts=Row.attempts - 1, lease_owner=None, lease_expires_at=None)
        .execution_options(synchronize_session=False)
    )


def prune(session: Session, before: datetime) -> int:
    """Forget jobs that ended before a time; how many those were.  In a session for everybody."""
    gone = session.execute(
        delete(Row).where(Row.finished_at < before).execution_options(synchronize_session=False).returning(Row.id)
    )
    return len(gone.all())
