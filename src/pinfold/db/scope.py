"""Whose rows a session can reach: the one place where queries are bound to an organisation.

A session bound to an organisation sees, changes and adds rows of that organisation only, whatever the query says.  One
bound to nobody can touch no row that has an owner.  ``EVERYBODY`` is for what looks after all of them: workers,
administrators, and finding out whose a token is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, cast

from sqlalchemy import ClauseElement, Table, TextClause, event, inspect
from sqlalchemy.orm import LoaderCriteriaOption, ORMExecuteState, Session, UOWTransaction, with_loader_criteria
from sqlalchemy.sql import visitors

from pinfold.db import ledger
from pinfold.db.models import Base, OwnedByTenant

EVERYBODY: Final = "*"
"""The scope of what serves all organisations."""
_KEY: Final = "organisation_id"
_OWNED_TABLES: Final = frozenset(
    mapper.local_table.name  # type: ignore[attr-defined]  # all of ours are tables
    for mapper in Base.registry.mappers
    if issubclass(mapper.class_, OwnedByTenant)
)


class OutOfScope(Exception):
    """A query that touches rows of an organisation without being bound to it: a mistake in this program."""


def bind(session: Session, organisation_id: str) -> None:
    """Let ``session`` reach the rows of one organisation, or of all with ``EVERYBODY``."""
    session.info[_KEY] = organisation_id


def bound_to(session: Session) -> str:
    """The organisation that the session is bound to.  Raises: OutOfScope, where it is bound to none or to all."""
    organisation_id: str = session.info.get(_KEY, "")
    if organisation_id in ("", EVERYBODY):
        raise OutOfScope("this query needs a session that is bound to one organisation")
    return organisation_id


def whose(session: Session) -> str:
    """The organisation that the session is bound to; an empty string where it is bound to none or to all."""
    organisation_id: str = session.info.get(_KEY, "")
    return "" if organisation_id == EVERYBODY else organisation_id


def require_everybody(session: Session) -> None:
    """Make sure that the session serves all organisations.  Raises: OutOfScope."""
    if session.info.get(_KEY) != EVERYBODY:
        raise OutOfScope("this query is for everybody's sessions")


@event.listens_for(Session, "do_orm_execute")
def _filter(state: ORMExecuteState) -> None:
    organisation_id = state.session.info.get(_KEY)
    _keep_ledger_true(state)
    if organisation_id == EVERYBODY or state.is_column_load or state.is_relationship_load:
        return
    if not organisation_id:
        if any(issubclass(mapper.class_, OwnedByTenant) for mapper in state.all_mappers) or _names_owned(state):
            raise OutOfScope("rows of organisations need a session that is bound to one")
    elif state.is_insert:
        _check_inserted(state, organisation_id)
    elif state.is_orm_statement:
        state.statement = state.statement.options(_criteria(organisation_id))
    elif _names_owned(state):
        raise OutOfScope("a query of bare tables is bound to nobody: name the mapped classes")


@lru_cache(maxsize=4096)  # making one costs more than a small query
def _criteria(organisation_id: str) -> LoaderCriteriaOption:
    return with_loader_criteria(OwnedByTenant, lambda cls: cls.organisation_id == organisation_id, include_aliases=True)


def _names_owned(state: ORMExecuteState) -> bool:
    """Whether a statement without mapped classes reaches rows of organisations; of plain text nobody can know."""
    if state.is_orm_statement:
        return False
    statement = state.statement
    if isinstance(statement, TextClause):
        return True
    return any(
        isinstance(part, Table) and part.name in _OWNED_TABLES
        for part in visitors.iterate(cast(ClauseElement, statement))
    )


def _check_inserted(state: ORMExecuteState, organisation_id: str) -> None:
    # Rows in bulk do not pass ``_own``: their writer names the organisation, and it has to be this one.
    given: Any = state.parameters
    for row in [given or {}] if isinstance(given, Mapping) or given is None else given:
        if row.get(_KEY, organisation_id) != organisation_id:
            raise OutOfScope("a row of another organisation")


@event.listens_for(Session, "before_flush")
def _own(session: Session, _context: UOWTransaction, _instances: object) -> None:
    organisation_id = session.info.get(_KEY)
    _flush_with_ledger(session)
    if organisation_id == EVERYBODY:
        return
    new = session.new  # made anew each time it is asked for
    for row in (*new, *session.dirty, *session.deleted):
        if not isinstance(row, OwnedByTenant):
            continue
        if not organisation_id:
            raise OutOfScope("rows of organisations need a session that is bound to one")
        if row in new and inspect(row).dict.get(_KEY) is None:
            row.organisation_id = organisation_id
        elif row.organisation_id != organisation_id:
            raise OutOfScope("a row of another organisation")


def _keep_ledger_true(state: ORMExecuteState) -> None:
    # What the ledger holds back is written before a query looks, and read again after one that changes it.
    its = ledger.of_writer(state.session)
    if its is None:
        return
    named = {mapper.class_ for mapper in state.all_mappers}
    if not named.isdisjoint(ledger.KEPT_HERE):
        its.write_out()
        if not state.is_select:
            its.forget_totals()
    if not state.is_select and not named.isdisjoint(ledger.ASKED_ONCE):
        its.forget_facts()


def _flush_with_ledger(session: Session) -> None:
    its = ledger.of_writer(session)
    if its is None:
        return
    changed = {type(row) for row in (*session.new, *session.dirty, *session.deleted)}
    if not changed.isdisjoint(ledger.KEPT_HERE):
        its.write_out()
        its.forget_totals()
    if not changed.isdisjoint(ledger.ASKED_ONCE):
        its.forget_facts()
