"""Queries about the audit log, which only grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from pinfold.db.models import AuditRow, TotalsRow
from pinfold.db.paging import Page, Wanted, page_of


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows; None asks for nothing."""

    action: str | None = None
    """A whole action, or a noun: ``file`` is every ``file.…``."""
    actor_id: str | None = None
    target: str | None = None
    since: datetime | None = None
    before: datetime | None = None


def page(session: Session, wanted: Wanted, filtered: Filter) -> Page[AuditRow]:
    """Rows, newest first."""
    statement = select(AuditRow)
    if filtered.action is not None:
        of_noun = AuditRow.action.startswith(filtered.action + ".", autoescape=True)
        statement = statement.where((AuditRow.action == filtered.action) | of_noun)
    if filtered.actor_id is not None:
        statement = statement.where(AuditRow.actor_id == filtered.actor_id)
    if filtered.target is not None:
        statement = statement.where(AuditRow.target == filtered.target)
    if filtered.since is not None:
        statement = statement.where(AuditRow.at >= filtered.since)
    if filtered.before is not None:
        statement = statement.where(AuditRow.at < filtered.before)
    return page_of(session, statement, AuditRow.number, wanted)


def after(session: Session, organisation_id: str, number: int, limit: int) -> Sequence[AuditRow]:
    """Up to ``limit`` rows of one organisation behind ``number``, in order."""
    return session.scalars(
        select(AuditRow)
        .where(AuditRow.organisation_id == organisation_id, AuditRow.number > number)
        .order_by(AuditRow.number)
        .limit(limit)
    ).all()


def head(session: Session, organisation_id: str) -> tuple[int, bytes] | None:
    """The number and the hash of the newest row, as the organisation's totals have it."""
    row = session.execute(
        select(TotalsRow.audit_number, TotalsRow.audit_hash).where(TotalsRow.organisation_id == organisation_id)
    ).first()
    return None if row is None else (row[0], row[1])
