"""Rows of pins as tests need them, and changes that make them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pinfold.db import changes
from pinfold.db.changes import Actor, Change
from pinfold.db.models import AuditRow, PinRow, TotalsRow

NOW = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
ACTOR = Actor("token", "0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11", "tester", "127.0.0.1", "5f2b6c1e9a7d4e03")


def pin_row(name: str, created_at: datetime = NOW, status: str = "queued") -> PinRow:
    """A pin request that belongs to nobody yet."""
    return PinRow(cid="bafy", root="bafy", name=name, status=status, created_at=created_at, updated_at=created_at)


def add_pin(session: Session, name: str = "a", now: datetime = NOW) -> int:
    """Add a pin request as a change does, audited and counted; its number in the audit log."""
    change: Change = changes.begin(session, ACTOR, now)
    session.add(pin_row(name, change.created_at()))
    change.count(pins=1)
    change.audit("pin.created", name)
    return change.totals.audit_number


def names(session: Session) -> list[str]:
    """Names of the pin requests that the session reaches, the oldest first."""
    return list(session.scalars(select(PinRow.name).order_by(PinRow.created_at)))


def totals(session: Session) -> TotalsRow:
    """The totals of the organisation that the session is bound to."""
    return session.scalars(select(TotalsRow)).one()


def chain_breaks(session: Session) -> list[int]:
    """Numbers of audit rows whose hash, or whose place in the chain, is wrong."""
    wrong, previous, expected = [], bytes(32), 1
    for row in session.scalars(select(AuditRow).order_by(AuditRow.number)):
        if (row.number, row.previous_hash, row.hash) != (expected, previous, changes.audit_hash(row)):
            wrong.append(row.number)
        previous, expected = row.hash, expected + 1
    return wrong


def count(session: Session, model: type[PinRow] | type[AuditRow]) -> int:
    """How many rows of a model the session reaches."""
    return session.scalar(select(func.count()).select_from(model)) or 0
