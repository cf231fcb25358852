"""Queries about organisations."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pinfold.db.models import OrganisationRow, TotalsRow


def count(session: Session) -> int:
    """How many organisations there are."""
    return session.scalar(select(func.count()).select_from(OrganisationRow)) or 0


def insert(session: Session, name: str, slug: str, plan: str, now: datetime) -> OrganisationRow:
    """A new organisation with nothing in it."""
    row = OrganisationRow(name=name, slug=slug, plan=plan, created_at=now, updated_at=now)
    session.add(row)
    session.flush()
    session.add(TotalsRow(organisation_id=row.id))
    session.flush()
    return row
