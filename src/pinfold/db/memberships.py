"""Queries about who belongs to which organisation."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pinfold.db.models import MembershipRow, OrganisationRow, UserRow
from pinfold.db.paging import Page, Wanted, page_of


def insert(session: Session, organisation_id: str, user_id: str, role: str, now: datetime) -> MembershipRow:
    """A user's place in an organisation."""
    row = MembershipRow(organisation_id=organisation_id, user_id=user_id, role=role, created_at=now)
    session.add(row)
    session.flush()
    return row


def get(session: Session, organisation_id: str, user_id: str) -> tuple[MembershipRow, UserRow] | None:
    """A member and who that is."""
    row = session.execute(
        select(MembershipRow, UserRow)
        .join(UserRow, UserRow.id == MembershipRow.user_id)
        .where(MembershipRow.organisation_id == organisation_id, MembershipRow.user_id == user_id)
    ).first()
    return None if row is None else (row[0], row[1])


def page(session: Session, organisation_id: str, wanted: Wanted) -> Page[tuple[MembershipRow, UserRow]]:
    """Members, the first user first."""
    statement = (
        select(MembershipRow, UserRow)
        .join(UserRow, UserRow.id == MembershipRow.user_id)
        .where(MembershipRow.organisation_id == organisation_id)
    )
    return page_of(session, statement, MembershipRow.user_id, wanted, descending=False)


def count_owners(session: Session, organisation_id: str) -> int:
    """How many owners, who are not disabled, the organisation has."""
    statement = (
        select(func.count())
        .select_from(MembershipRow)
        .join(UserRow, UserRow.id == MembershipRow.user_id)
        .where(
            MembershipRow.organisation_id == organisation_id,
            MembershipRow.role == "owner",
            UserRow.status == "active",
        )
    )
    return session.scalar(statement) or 0


def organisations_of(session: Session, user_id: str) -> list[tuple[MembershipRow, OrganisationRow]]:
    """The organisations that a user is a member of, the first joined first; in a session for everybody."""
    rows = session.execute(
        select(MembershipRow, OrganisationRow)
        .join(OrganisationRow, OrganisationRow.id == MembershipRow.organisation_id)
        .where(MembershipRow.user_id == user_id)
        .order_by(MembershipRow.created_at, MembershipRow.organisation_id)
    )
    return [(row[0], row[1]) for row in rows]
