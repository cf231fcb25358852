"""Organisations: one's own, and all of them for the administrator of the server."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from pinfold.core.errors import InvalidInput, RecordConflict, RecordNotFound
from pinfold.db import Database, changes, organisations, plans
from pinfold.db.models import OrganisationRow, PlanRow
from pinfold.db.paging import Wanted
from pinfold.services.accounts.model import Caller, Scope
from pinfold.services.accounts.records import Listed, Organisation, Plan
from pinfold.services.accounts.slug import checked_slug, free_slug
from pinfold.services.clock import Clock, utc_now

CHANGEABLE: Final = frozenset(
    {"name", "plan", "status", "quota_bytes", "quota_files", "quota_pins", "quota_requests_per_day"}
)
"""What an administrator may change; an organisation itself has only its name to change."""
_PLAN_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class OrganisationsService:
    """Tenants and their plans."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def mine(self, caller: Caller) -> Organisation:
        """The caller's organisation.  Raises: Forbidden."""
        caller.require(Scope.ORG_READ)
        return Organisation.of(await self._database.everybody.read(_there, caller.organisation_id))

    async def rename(self, caller: Caller, name: str) -> Organisation:
        """The caller's organisation under another name.  Raises: Forbidden."""
        caller.require(Scope.ORG_ADMIN)
        write = self._database.everybody.write
        return Organisation.of(await write(_update, caller, caller.organisation_id, {"name": name}, self._clock()))

    # -- of the server's administrator -------------------------------------------------------------------------------

    async def page(self, caller: Caller, wanted: Wanted, status: str | None = None) -> Listed[Organisation]:
        """All organisations, newest first.  Raises: Forbidden."""
        caller.require(Scope.SERVER_ADMIN)
        return Listed.of(await self._database.everybody.read(organisations.page, wanted, status), Organisation.of)

    async def get(self, caller: Caller, organisation_id: str) -> Organisation:
        """One organisation, by its id or its slug.  Raises: Forbidden, RecordNotFound."""
        caller.require(Scope.SERVER_ADMIN)
        return Organisation.of(await self._database.everybody.read(_there, organisation_id))

    async def create(self, caller: Caller, name: str, slug: str | None, plan: str) -> Organisation:
        """A new organisation with nobody in it.  Raises: Forbidden, InvalidInput, RecordConflict, RecordNotFound."""
        caller.require(Scope.SERVER_ADMIN)
        return Organisation.of(await self._database.everybody.write(_create, caller, name, slug, plan, self._clock()))

    async def update(self, caller: Caller, organisation_id: str, values: dict[str, Any]) -> Organisation:
        """The organisation with some of ``CHANGEABLE`` changed; a suspended one is refused everywhere at once.

        A quota of None is the plan's.
        Raises:  Forbidden, InvalidInput, RecordNotFound; RecordConflict for who would suspend their own.
        """
        caller.require(Scope.SERVER_ADMIN)
        write = self._database.everybody.write
        return Organisation.of(await write(_update, caller, organisation_id, values, self._clock()))

    async def plans(self, caller: Caller) -> list[Plan]:
        """All plans, by name.  Raises: Forbidden."""
        caller.require(Scope.SERVER_ADMIN)
        return [Plan.of(row) for row in await self._database.everybody.read(plans.every)]

    async def put_plan(self, caller: Caller, plan: Plan) -> Plan:
        """A plan, new or changed; it holds for its organisations from now on.  Raises: Forbidden."""
        caller.require(Scope.SERVER_ADMIN)
        return Plan.of(await self._database.everybody.write(_put_plan, caller, plan, self._clock()))

    async def change_plan(self, caller: Caller, name: str, values: dict[str, Any]) -> tuple[Plan, bool]:
        """The plan with some values changed, and whether it is new: then it has no limits but these.

        Raises:  Forbidden, InvalidInput.
        """
        caller.require(Scope.SERVER_ADMIN)
        if not _PLAN_NAME.fullmatch(name):
            raise InvalidInput(
                f"{name!r} cannot be the name of a plan", hint="Up to 64 of a-z, 0-9, - and _, a letter or digit first."
            )
        row, is_new = await self._database.everybody.write(_change_plan, caller, name, values, self._clock())
        return Plan.of(row), is_new


def _there(session: Session, organisation_id: str) -> OrganisationRow:
    row = organisations.get(session, organisation_id) or organisations.by_slug(session, organisation_id)
    if row is None:
        raise RecordNotFound(f"there is no organisation {organisation_id}")
    return row


def _require_plan(session: Session, name: str) -> None:
    if plans.get(session, name) is None:
        raise RecordNotFound(f"there is no plan {name!r}")


def _create(session: Session, caller: Caller, name: str, slug: str | None, plan: str, now: datetime) -> OrganisationRow:
    _require_plan(session, plan)
    chosen = free_slug(session, name) if slug is None else checked_slug(session, slug)
    row = organisations.insert(session, name, chosen, plan, now)
    change = changes.begin_for(session, row.id, caller.actor, now)
    change.audit("organisation.created", row.id, name=name, plan=plan)
    return row


def _update(
    session: Session, caller: Caller, organisation_id: str, values: dict[str, Any], now: datetime
) -> OrganisationRow:
    if unknown := values.keys() - CHANGEABLE:
        raise InvalidInput(f"an organisation has no {', '.join(sorted(unknown))} to change")
    row = _there(session, organisation_id)
    if values.get("status") == "suspended" and caller.token_id and row.id == caller.organisation_id:
        raise RecordConflict(  # nobody might be left who could let them in again
            "this is the organisation of your own token", hint="Use a token of another one, or `pinfold org suspend`."
        )
    change = changes.begin_for(session, row.id, caller.actor, now)
    if "plan" in values:
        _require_plan(session, values["plan"])
    for name, value in values.items():
        setattr(row, name, value)
    row.updated_at = now
    session.flush()
    change.audit("organisation.updated", row.id, **values)
    return row


def _put_plan(session: Session, caller: Caller, plan: Plan, now: datetime) -> PlanRow:
    change = changes.begin_for(session, caller.organisation_id, caller.actor, now)
    values = asdict(plan)
    row = plans.put(session, PlanRow(**values))
    change.audit("plan.updated", plan.name, **values)
    return row


def _change_plan(
    session: Session, caller: Caller, name: str, values: dict[str, Any], now: datetime
) -> tuple[PlanRow, bool]:
    # What is there is read under the lock of the organisation whose log this goes to.
    changes.begin_for(session, caller.organisation_id, caller.actor, now)
    there = plans.get(session, name)
    plan = replace(Plan(name) if there is None else Plan.of(there), **values)
    return _put_plan(session, caller, plan, now), there is None
