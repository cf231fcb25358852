"""Whose turn it is: where more roots are due than can be taken, organisations take turns.

Without, ten thousand roots of one organisation would be looked at before another's first.  Each organisation's due
roots are a range of an index, and organisations are found by stepping from one range to the next: what it costs grows
with the organisations looked at, of which there is a limit, and not with the roots that wait.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    String,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import Session

from pinfold.db import dialect
from pinfold.db.models import ReconciliationRow as Row

PRIORITIES: Final = (2, 1, 0)
_MOST_SEEN: Final = 200
"""Organisations stepped over at a time; those behind them come first the next time."""
_MOST_SERVED: Final = 16
"""Organisations whose roots are taken at a time: each is up to three looks into the index."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Where the turns of a lane stand."""

    after: str = ""
    """The organisation that was served last."""
    held: Mapping[str, int] = field(default_factory=dict)
    """How many places organisations have already; who has fewest is served first."""


FIRST: Final = Turn()
"""Nobody was served yet."""


def take(session: Session, lane: int, limit: int, now: datetime, turn: Turn) -> list[str]:
    """Up to ``limit`` free due roots of a lane, locked.

    Of one organisation the urgent come first, then the oldest; where several wait they get as much as each other.
    """
    plainly = _first(session, lane, limit, now)
    if len(plainly) < limit:
        return plainly  # all that there are
    waiting = sorted(organisations_waiting(session, lane, now, turn.after), key=lambda one: turn.held.get(one, 0))
    if len(waiting) < 2:
        return plainly
    served = waiting[: min(limit, _MOST_SERVED)]
    share = limit if turn.held else -(-limit // len(served))
    fairly = _in_turns({one: deque(_first(session, lane, share, now, one)) for one in served}, turn.held, limit)
    chosen = set(fairly)
    return [*fairly, *(root for root in plainly if root not in chosen)][:limit]


def organisations_waiting(session: Session, lane: int, now: datetime, after: str = "") -> list[str]:
    """Organisations that have free due roots in a lane, those behind ``after`` first; some, where there are many."""
    asked = {"lane": lane, "now": now, "after": after}
    behind = session.scalars(_waiting(from_the_first=False), asked).all() if after else []
    return list(dict.fromkeys([*behind, *session.scalars(_waiting(from_the_first=True), asked)]))


def is_free(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Whether nobody holds a row, or somebody whose lease is over."""
    return or_(Row.lease_owner.is_(None), Row.lease_expires_at <= now)


def _first(session: Session, lane: int, limit: int, now: datetime, organisation_id: str | None = None) -> list[str]:
    """The first free due roots of a lane, everybody's or one organisation's."""
    its = [] if organisation_id is None else [Row.organisation_id == organisation_id]
    roots: list[str] = []
    for priority in PRIORITIES:  # one at a time: each is a range of the index
        if len(roots) < limit:
            due = (
                select(Row.root)
                .where(Row.lane == lane, *its, Row.priority == priority, Row.due_at <= now, is_free(now))
                .order_by(Row.due_at)
                .limit(limit - len(roots))
            )
            roots.extend(session.scalars(dialect.for_update(due, skip_locked=True)))
    return roots


def _in_turns(queues: Mapping[str, deque[str]], held: Mapping[str, int], limit: int) -> list[str]:
    """The next root of who has fewest, and so on."""
    ranks = [(held.get(one, 0), place, one) for place, one in enumerate(queues)]
    heapq.heapify(ranks)
    taken: list[str] = []
    while ranks and len(taken) < limit:
        has, place, one = heapq.heappop(ranks)
        if queues[one]:
            taken.append(queues[one].popleft())
            heapq.heappush(ranks, (has + 1, place, one))
    return taken


@cache
def _waiting(*, from_the_first: bool) -> Select[tuple[str]]:
    """Those that have due roots among the first organisations of a lane, each found by one look into the index.

    Made once, since making it costs more than carrying it out.
    """
    lane, now = bindparam("lane", type_=Integer), bindparam("now", type_=Row.due_at.type)
    begin = [] if from_the_first else [Row.organisation_id > bindparam("after", type_=String)]
    first = select(func.min(Row.organisation_id)).where(Row.lane == lane, *begin).scalar_subquery()
    steps = select(first.label("organisation_id"), literal(1).label("step")).cte("steps", recursive=True)
    following = (
        select(func.min(Row.organisation_id))
        .where(Row.lane == lane, Row.organisation_id > steps.c.organisation_id)
        .scalar_subquery()
    )
    steps = steps.union_all(
        select(following, steps.c.step + 1).where(steps.c.organisation_id.is_not(None), steps.c.step < _MOST_SEEN)
    )
    has_due = or_(
        *(
            exists().where(
                Row.lane == lane,
                Row.organisation_id == steps.c.organisation_id,
                Row.priority == priority,
                Row.due_at <= now,
                is_free(now),
            )
            for priority in PRIORITIES
        )
    )
    return select(steps.c.organisation_id).where(has_due).order_by(steps.c.step)
