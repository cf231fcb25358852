"""Projects of an organisation."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from pinfold.core.errors import InvalidInput, RecordConflict, RecordNotFound
from pinfold.db import Database, changes, memberships, projects
from pinfold.db.models import ProjectRow
from pinfold.db.paging import Wanted
from pinfold.services.accounts.model import Caller, Scope
from pinfold.services.accounts.records import Listed, Project
from pinfold.services.clock import Clock, utc_now


class ProjectsService:
    """Work inside an organisation, with who is in it."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def page(self, caller: Caller, wanted: Wanted, status: str | None = None) -> Listed[Project]:
        """Projects, newest first.  Raises: Forbidden."""
        caller.require(Scope.ORG_READ)
        bound = self._database.of(caller.organisation_id)
        return Listed.of(await bound.read(projects.page, wanted, status), Project.of)

    async def get(self, caller: Caller, project_id: str) -> Project:
        """One project.  Raises: Forbidden, RecordNotFound."""
        caller.require(Scope.ORG_READ)
        return Project.of(await self._database.of(caller.organisation_id).read(_there, project_id))

    async def create(self, caller: Caller, values: dict[str, Any]) -> Project:
        """A new project of these values.  Raises: Forbidden, InvalidInput, RecordConflict."""
        caller.require(Scope.ORG_ADMIN)
        bound = self._database.of(caller.organisation_id)
        return Project.of(await bound.write(_create, caller, values, self._clock()))

    async def update(self, caller: Caller, project_id: str, values: dict[str, Any]) -> Project:
        """The project with some values changed.  Raises: Forbidden, InvalidInput, RecordConflict, RecordNotFound."""
        caller.require(Scope.ORG_ADMIN)
        bound = self._database.of(caller.organisation_id)
        return Project.of(await bound.write(_update, caller, project_id, values, self._clock()))

    async def delete(self, caller: Caller, project_id: str) -> None:
        """Forget a project; its files stay.  Raises: Forbidden, RecordNotFound."""
        caller.require(Scope.ORG_ADMIN)
        await self._database.of(caller.organisation_id).write(_delete, caller, project_id, self._clock())


def _there(session: Session, project_id: str) -> ProjectRow:
    row = projects.get(session, project_id)
    if row is None:
        raise RecordNotFound(f"there is no project {project_id}")
    return row


def _require_members(session: Session, caller: Caller, team: list[str]) -> None:
    for user_id in team:
        if memberships.get(session, caller.organisation_id, user_id) is None:
            raise InvalidInput(f"{user_id} is no member of the organisation, and cannot be in a team")


def _require_free(session: Session, name: str, project_id: str = "") -> None:
    other = projects.by_name(session, name)
    if other is not None and other.id != project_id:
        raise RecordConflict(f"there is a project {name!r} already")


def _create(session: Session, caller: Caller, values: dict[str, Any], now: datetime) -> ProjectRow:
    change = changes.begin(session, caller.actor, now)
    _require_free(session, values["name"])
    _require_members(session, caller, values.get("team", []))
    row = projects.insert(session, ProjectRow(**values, created_at=change.created_at(), updated_at=now))
    change.audit("project.created", row.id, **values)
    return row


def _update(session: Session, caller: Caller, project_id: str, values: dict[str, Any], now: datetime) -> ProjectRow:
    change = changes.begin(session, caller.actor, now)
    row = _there(session, project_id)
    _require_free(session, values.get("name", row.name), row.id)
    _require_members(session, caller, values.get("team", []))
    for name, value in values.items():
        setattr(row, name, value)
    row.updated_at = now
    session.flush()
    change.audit("project.updated", row.id, **values)
    return row


def _delete(session: Session, caller: Caller, project_id: str, now: datetime) -> None:
    change = changes.begin(session, caller.actor, now)
    row = _there(session, project_id)
    change.audit("project.deleted", row.id, name=row.name)
    projects.remove(session, row)
