"""Queries about organisations."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pinfold.db.models import OrganisationRow, TotalsRow
from pinfold.db.paging import Page, Wanted, page_of


def count(session: Session) -> int:
    """How many organisations there are."""
    return session.scalar(select(func.count()).select_from(OrganisationRow)) or 0


def insert(session: Session, name: str, slug: str, plan: str, now: datetime) -> OrganisationRow:
    """A new organisation with nothing in it, in a session for everybody."""
    row = OrganisationRow(name=name, slug=slug, plan=plan, status="active", created_at=now, updated_at=now)
    session.add(row)
    session.flush()
    session.add(TotalsRow(organisation_id=row.id))
    session.flush()
    return row


def get(session: Session, organisation_id: str) -> OrganisationRow | None:
    """One organisation."""
    return session.get(OrganisationRow, organisation_id)


def by_slug(session: Session, slug: str) -> OrganisationRow | None:
    """The organisation of that slug."""
    return session.scalar(select(OrganisationRow).where(OrganisationRow.slug == slug))


def slugs(session: Session, organisation_ids: Collection[str]) -> dict[str, str]:
    """The slug of each of these organisations, by id."""
    found = select(OrganisationRow.id, OrganisationRow.slug).where(OrganisationRow.id.in_(organisation_ids))
    return {row.id: row.slug for row in session.execute(found)}


def first(session: Session) -> OrganisationRow | None:
    """The oldest organisation."""
    return session.scalar(select(OrganisationRow).order_by(OrganisationRow.id).limit(1))


def page(session: Session, wanted: Wanted, status: str | None = None) -> Page[OrganisationRow]:
    """Organisations, newest first."""
    statement = select(OrganisationRow)
    if status is not None:
        statement = statement.where(OrganisationRow.status == status)
    return page_of(session, statement, OrganisationRow.id, wanted)
