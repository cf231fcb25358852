"""Which deliveries are next: organisations get as much as each other, however many deliveries one has due.

Webhooks with due deliveries are found by stepping over an index from one webhook to the next, so what it costs grows
with the webhooks that wait, of which there is a limit, and not with the deliveries.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, String, bindparam, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from pinfold.db.dialect import for_update
from pinfold.db.models import WebhookDeliveryRow as Delivery
from pinfold.db.models import WebhookEventRow, WebhookRow

Leased = tuple[Delivery, WebhookRow, WebhookEventRow]

_MOST_SEEN: Final = 500
"""Webhooks stepped over at a time; those behind them come first the next time."""
_NO_LIMIT: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Passed:
    """Webhooks that get nothing for the moment."""

    over: frozenset[str] = frozenset()
    """Nothing at all."""
    but_by_hand: frozenset[str] = frozenset()
    """Nothing but what was asked for by hand, the first time that it is tried: a resend, a test."""

    def leave(self, statement: Any) -> Any:
        """The statement about deliveries, their webhooks and events, without what is passed over."""
        if self.over:
            statement = statement.where(Delivery.webhook_id.not_in(self.over))
        if self.but_by_hand:
            statement = statement.where(or_(Delivery.webhook_id.not_in(self.but_by_hand), is_by_hand()))
        return statement


@dataclass(frozen=True, slots=True)
class Shares:
    """How many deliveries an organisation and a webhook may have under way in one process, and have already."""

    of_organisation: int = _NO_LIMIT
    of_webhook: int = _NO_LIMIT
    """One that is passed over but by hand has one at a time."""
    of_all_slow: int = _NO_LIMIT
    """Of all organisations together whose receivers are slow."""
    slow: frozenset[str] = frozenset()
    """Those organisations."""
    held: Mapping[str, int] = field(default_factory=dict)
    """By organisation."""
    held_by_webhook: Mapping[str, int] = field(default_factory=dict)
    after: str = ""
    """The webhook that was served last."""


NOBODY: Final = Passed()
UNSHARED: Final = Shares()


def next_due(session: Session, limit: int, now: datetime, passed: Passed, shares: Shares) -> list[Leased]:
    """Up to ``limit`` due deliveries that are free and within the shares, locked.

    The next is always of the organisation that has fewest under way, and of its webhooks in turn.
    """
    webhooks: dict[str, deque[str]] = defaultdict(deque)
    for webhook_id, organisation_id in _waiting(session, now, shares.after):
        if webhook_id not in passed.over:
            webhooks[organisation_id].append(webhook_id)
    due: dict[str, deque[Leased]] = {}
    ranks = [(shares.held.get(one, 0), place, one) for place, one in enumerate(webhooks)]
    heapq.heapify(ranks)
    left_to_slow = shares.of_all_slow - sum(shares.held.get(one, 0) for one in shares.slow)
    taken: list[Leased] = []
    while ranks and len(taken) < limit:
        has, place, organisation_id = heapq.heappop(ranks)
        is_slow = organisation_id in shares.slow
        if has >= shares.of_organisation or (is_slow and left_to_slow <= 0):
            continue
        mine = webhooks[organisation_id]
        while mine:
            webhook_id = mine.popleft()
            if webhook_id not in due:
                most = 1 if webhook_id in passed.but_by_hand else shares.of_webhook
                free = min(most - shares.held_by_webhook.get(webhook_id, 0), limit)
                by_hand = webhook_id in passed.but_by_hand
                due[webhook_id] = deque(_first(session, webhook_id, free, now, by_hand=by_hand) if free > 0 else ())
            if due[webhook_id]:
                taken.append(due[webhook_id].popleft())
                mine.append(webhook_id)
                left_to_slow -= is_slow
                heapq.heappush(ranks, (has + 1, place, organisation_id))
                break
    return taken


def is_free(now: Any) -> ColumnElement[bool]:
    """Whether no process holds a delivery, or one whose lease is over."""
    return or_(Delivery.lease_expires_at.is_(None), Delivery.lease_expires_at <= now)


def is_by_hand() -> ColumnElement[bool]:
    """Whether a delivery, joined with its event, was asked for by hand and not tried yet."""
    # The deliveries that an event begins with are as old as it is; one that is sent again is younger.
    asked = or_(Delivery.created_at > WebhookEventRow.created_at, WebhookEventRow.kind == "webhook.test")
    return (Delivery.attempts == 0) & asked


def _first(session: Session, webhook_id: str, limit: int, now: datetime, *, by_hand: bool) -> list[Leased]:
    """The first free due deliveries of one webhook."""
    statement: Any = (
        select(Delivery, WebhookRow, WebhookEventRow)
        .join(WebhookRow, WebhookRow.id == Delivery.webhook_id)
        .join(WebhookEventRow, WebhookEventRow.id == Delivery.event_id)
        .where(
            Delivery.status == "queued",
            Delivery.webhook_id == webhook_id,
            Delivery.due_at <= now,
            is_free(now),
            WebhookRow.status == "active",
        )
        .order_by(Delivery.due_at, Delivery.number)
        .limit(limit)
    )
    if by_hand:
        statement = statement.where(is_by_hand())
    rows = session.execute(for_update(statement, skip_locked=True, of=Delivery))
    return [(row[0], row[1], row[2]) for row in rows]


def _waiting(session: Session, now: datetime, after: str) -> list[tuple[str, str]]:
    """Active webhooks that have due deliveries and their organisations, those behind ``after`` first."""
    asked = {"now": now, "after": after}
    behind = session.execute(_steps(from_the_first=False), asked).all() if after else []
    found = [*behind, *session.execute(_steps(from_the_first=True), asked)]
    return list(dict.fromkeys((row[0], row[1]) for row in found))


@cache
def _steps(*, from_the_first: bool) -> Select[str, str]:
    """The first webhooks with queued deliveries, each found by one look into the index; of them those with due ones.

    Made once, since making it costs more than carrying it out.
    """
    now = bindparam("now", type_=Delivery.due_at.type)
    begin = [] if from_the_first else [Delivery.webhook_id > bindparam("after", type_=String)]
    first = select(func.min(Delivery.webhook_id)).where(Delivery.status == "queued", *begin).scalar_subquery()
    steps = select(first.label("webhook_id"), literal(1).label("step")).cte("steps", recursive=True)
    following = (
        select(func.min(Delivery.webhook_id))
        .where(Delivery.status == "queued", Delivery.webhook_id > steps.c.webhook_id)
        .scalar_subquery()
    )
    steps = steps.union_all(
        select(following, steps.c.step + 1).where(steps.c.webhook_id.is_not(None), steps.c.step < _MOST_SEEN)
    )
    has_due = exists().where(
        Delivery.status == "queued",
        Delivery.webhook_id == steps.c.webhook_id,
        Delivery.due_at <= now,
        is_free(now),
    )
    return (
        select(WebhookRow.id, WebhookRow.organisation_id)
        .join(steps, steps.c.webhook_id == WebhookRow.id)
        .where(WebhookRow.status == "active", has_due)
        .order_by(steps.c.step)
    )
