"""Queries about roots whose wish and reality may differ, and who looks at which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from functools import cache
from typing import Final, cast

from sqlalchemy import (
    Insert,
    Table,
    Update,
    bindparam,
    case,
    delete,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.orm import Session

from pinfold.db import dialect, scope, turns
from pinfold.db.models import ReconciliationRow as Row
from pinfold.db.turns import FIRST, PRIORITIES, Turn, is_free

_ORDINARY = 1
_TABLE: Final = cast(Table, Row.__table__)


class Lane(IntEnum):
    """Which of the queues a root waits in."""

    LOOK = 0
    """To see what is here, and pin or unpin it: quick."""
    FETCH = 1
    """To fetch what is not here: slow."""


def mark_due(session: Session, root: str, now: datetime, priority: int = _ORDINARY) -> None:
    """Have somebody look at ``root`` at once, with a fresh count of attempts."""
    mark_all_due(session, {root: priority}, now)


def mark_all_due(session: Session, priorities: Mapping[str, int], now: datetime) -> None:
    """The same for many roots, each with its priority; one that waits already keeps the higher one.

    They wait in the turns of the organisation that the session is bound to.
    """
    if priorities:
        whose = scope.whose(session)
        # In one order everywhere, so that nobody waits in a ring.
        rows = [
            {"root": root, "priority": priorities[root], "due_at": now, "organisation_id": whose}
            for root in sorted(priorities)
        ]
        session.connection().execute(_upsert(dialect.is_sqlite(session)), rows)


@cache
def _upsert(is_sqlite: bool) -> Insert:
    """The statement that makes a root due: made once, since making it costs more than carrying it out."""
    statement = dialect.insert_into(_TABLE, on_sqlite=is_sqlite)
    new = statement.excluded
    return statement.values(
        root=bindparam("root"),
        organisation_id=bindparam("organisation_id"),
        generation=1,
        lane=Lane.LOOK.value,
        priority=bindparam("priority"),
        due_at=bindparam("due_at"),
        attempts=0,
    ).on_conflict_do_update(
        index_elements=[_TABLE.c.root],
        set_={
            "organisation_id": case((new.organisation_id == "", _TABLE.c.organisation_id), else_=new.organisation_id),
            "generation": _TABLE.c.generation + 1,
            "lane": new.lane,
            "priority": case((_TABLE.c.priority > new.priority, _TABLE.c.priority), else_=new.priority),
            "due_at": new.due_at,
            "attempts": 0,
        },
    )


def lease(
    session: Session, owner: str, lane: Lane, limit: int, now: datetime, until: datetime, turn: Turn = FIRST
) -> Sequence[tuple[str, int, int, str]]:
    """Up to ``limit`` due roots of a lane, now held by ``owner`` until ``until``: as many of each organisation.

    Shape:  root, generation, attempts, the organisation in whose turn it came.
    """
    roots = turns.take(session, lane, limit, now, turn)
    if not roots:
        return []
    leased = session.execute(  # guarded, for databases that lock no rows
        update(Row)
        .where(Row.root.in_(roots), is_free(now))
        .values(lease_owner=owner, lease_expires_at=until)
        .execution_options(synchronize_session=False)
        .returning(Row.root, Row.generation, Row.attempts, Row.organisation_id)
    )
    found = {row[0]: (row[0], row[1], row[2], row[3]) for row in leased}
    return [found[root] for root in roots if root in found]


def extend(session: Session, owner: str, roots: Sequence[str], until: datetime) -> None:
    """Keep holding rows whose work takes longer."""
    session.execute(_held(owner, roots).values(lease_expires_at=until))


def settle(session: Session, owner: str, generations: Iterable[tuple[str, int]]) -> None:
    """Be done with roots, each at the generation that was looked at; one that changed meanwhile is due again."""
    known = sorted(generations)
    if not known:
        return
    session.execute(
        delete(Row)
        .where(Row.lease_owner == owner, tuple_(Row.root, Row.generation).in_(known))
        .execution_options(synchronize_session=False)
    )
    release(session, owner, [root for root, _ in known])


def retry(
    session: Session,
    owner: str,
    root: str,
    generation: int,
    due_at: datetime,
    *,
    lane: Lane = Lane.LOOK,
    is_failure: bool = True,
) -> None:
    """Have a root looked at again at ``due_at``, in a lane; one that changed meanwhile stays due at once."""
    session.execute(
        update(Row)
        .where(Row.root == root, Row.lease_owner == owner, Row.generation == generation)
        .values(
            lease_owner=None,
            lease_expires_at=None,
            lane=lane,
            attempts=Row.attempts + 1 if is_failure else Row.attempts,
            due_at=due_at,
        )
        .execution_options(synchronize_session=False)
    )
    release(session, owner, [root])


def release(session: Session, owner: str, roots: Sequence[str]) -> None:
    """Let go of rows, their due times as they are."""
    session.execute(_held(owner, roots).values(lease_owner=None, lease_expires_at=None))


def _held(owner: str, roots: Sequence[str]) -> Update:
    return update(Row).where(Row.root.in_(roots), Row.lease_owner == owner).execution_options(synchronize_session=False)


def release_all(session: Session) -> None:
    """Let go of every row: for the start of the only process there is."""
    session.execute(update(Row).where(Row.lease_owner.is_not(None)).values(lease_owner=None, lease_expires_at=None))


def of_root(session: Session, root: str) -> Row | None:
    """The row of one root, if it is to be looked at."""
    return session.get(Row, root)


def generations(session: Session, roots: Sequence[str]) -> dict[str, int]:
    """The generation of each of these roots that is to be looked at."""
    found = session.execute(select(Row.root, Row.generation).where(Row.root.in_(roots)))
    return {row.root: row.generation for row in found}


def next_due(session: Session, lanes: Sequence[Lane] = tuple(Lane)) -> datetime | None:
    """When the next row of these lanes is due that nobody holds, or whose holder may be dead."""
    firsts = [
        select(Row.due_at)
        .where(Row.lane == lane, Row.priority == priority, Row.lease_owner.is_(None))
        .order_by(Row.due_at)
        .limit(1)
        .scalar_subquery()
        for lane in lanes
        for priority in PRIORITIES
    ]
    runs_out = select(func.min(Row.lease_expires_at)).where(Row.lane.in_(lanes)).scalar_subquery()
    times = session.execute(select(*firsts, runs_out)).one()
    return min((time for time in times if time is not None), default=None)
