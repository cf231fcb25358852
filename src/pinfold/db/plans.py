"""Queries about plans."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from pinfold.db.models import PlanRow


def every(session: Session) -> Sequence[PlanRow]:
    """All plans, by name."""
    return session.scalars(select(PlanRow).order_by(PlanRow.name)).all()


def get(session: Session, name: str) -> PlanRow | None:
    """The plan of that name."""
    return session.get(PlanRow, name)


def put(session: Session, row: PlanRow) -> PlanRow:
    """The plan of ``row``'s name as ``row`` says, whether there was one or not."""
    merged = session.merge(row)
    session.flush()
    return merged
