"""Queries about projects."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from pinfold.db.models import ProjectRow
from pinfold.db.paging import Page, Wanted, page_of


def insert(session: Session, row: ProjectRow) -> ProjectRow:
    """A new project."""
    session.add(row)
    session.flush()
    return row


def get(session: Session, project_id: str) -> ProjectRow | None:
    """One project of the organisation that the session is bound to."""
    return session.scalar(select(ProjectRow).where(ProjectRow.id == project_id))


def by_name(session: Session, name: str) -> ProjectRow | None:
    """The project of that name."""
    return session.scalar(select(ProjectRow).where(ProjectRow.name == name))


def page(session: Session, wanted: Wanted, status: str | None) -> Page[ProjectRow]:
    """Projects, newest first."""
    statement = select(ProjectRow)
    if status is not None:
        statement = statement.where(ProjectRow.status == status)
    return page_of(session, statement, ProjectRow.id, wanted)


def remove(session: Session, row: ProjectRow) -> None:
    """Forget a project; its files stay, and belong to none."""
    session.delete(row)
    session.flush()
