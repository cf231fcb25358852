"""Queries about webhooks, the events that they are told, and the deliveries that are on their way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, func, insert, select, update
from sqlalchemy.orm import Session

from pinfold.db.identifiers import new_id
from pinfold.db.models import WebhookDeliveryRow, WebhookEventRow, WebhookRow
from pinfold.db.webhook_turns import NOBODY, UNSHARED, Leased, Passed, Shares, is_free, next_due

__all__ = ["NOBODY", "UNSHARED", "Leased", "Passed", "Shares"]

# -- webhooks ----------------------------------------------------------------------------------------------------------


def active(session: Session, organisation_id: str) -> list[tuple[str, list[str]]]:
    """The webhooks of an organisation that get events: their ids, and the kinds that each wants (none: all)."""
    found = session.execute(
        select(WebhookRow.id, WebhookRow.events).where(
            WebhookRow.organisation_id == organisation_id, WebhookRow.status == "active"
        )
    )
    return [(webhook_id, events) for webhook_id, events in found]


def by_id(session: Session, webhook_id: str) -> WebhookRow | None:
    """One webhook."""
    return session.scalar(select(WebhookRow).where(WebhookRow.id == webhook_id))


def everyone(session: Session) -> Sequence[WebhookRow]:
    """The webhooks of the organisation, the oldest first; there are few of them."""
    return session.scalars(select(WebhookRow).order_by(WebhookRow.id)).all()


def count(session: Session) -> int:
    """How many webhooks the organisation has."""
    return session.scalar(select(func.count()).select_from(WebhookRow)) or 0


# -- the outbox --------------------------------------------------------------------------------------------------------


def put(
    session: Session,
    organisation_id: str,
    kind: str,
    payload: dict[str, Any],
    webhook_ids: Sequence[str],
    now: datetime,
) -> str:
    """Write down an event and its way to each of these webhooks; its id."""
    (event_id,) = put_all(session, organisation_id, kind, [payload], webhook_ids, now)
    return event_id


def put_all(
    session: Session,
    organisation_id: str,
    kind: str,
    payloads: Sequence[dict[str, Any]],
    webhook_ids: Sequence[str],
    now: datetime,
) -> list[str]:
    """The same for many events of a kind; their ids."""
    ids = [new_id() for _ in payloads]
    own = {"organisation_id": organisation_id, "created_at": now}
    said = [{**own, "id": one, "kind": kind, "payload": payload} for one, payload in zip(ids, payloads, strict=True)]
    on_their_way = [_delivery(webhook_id, one, now) | own for one in ids for webhook_id in webhook_ids]
    if said:
        session.execute(insert(WebhookEventRow), said)
    if on_their_way:
        session.execute(insert(WebhookDeliveryRow), on_their_way)
    return ids


def put_again(session: Session, delivery: WebhookDeliveryRow, now: datetime) -> WebhookDeliveryRow:
    """The same event on its way to the same webhook once more."""
    again = WebhookDeliveryRow(
        **_delivery(delivery.webhook_id, delivery.event_id, now),
        organisation_id=delivery.organisation_id,
        created_at=now,
    )
    session.add(again)
    session.flush()
    return again


def _delivery(webhook_id: str, event_id: str, now: datetime) -> dict[str, Any]:
    return {"id": new_id(), "webhook_id": webhook_id, "event_id": event_id, "due_at": now}


def events(
    session: Session, *, kind: str | None = None, before: int | None = None, limit: int
) -> Sequence[WebhookEventRow]:
    """Events, the newest first, from below the number ``before`` on."""
    found = select(WebhookEventRow)
    if kind is not None:
        found = found.where(WebhookEventRow.kind == kind)
    if before is not None:
        found = found.where(WebhookEventRow.number < before)
    return session.scalars(found.order_by(WebhookEventRow.number.desc()).limit(limit)).all()


def deliveries(
    session: Session, webhook_id: str, *, status: str | None = None, before: int | None = None, limit: int
) -> Sequence[tuple[WebhookDeliveryRow, str]]:
    """Deliveries of one webhook and the kinds of their events, the newest first, from below ``before`` on."""
    found = (
        select(WebhookDeliveryRow, WebhookEventRow.kind)
        .join(WebhookEventRow, WebhookEventRow.id == WebhookDeliveryRow.event_id)
        .where(WebhookDeliveryRow.webhook_id == webhook_id)
    )
    if status is not None:
        found = found.where(WebhookDeliveryRow.status == status)
    if before is not None:
        found = found.where(WebhookDeliveryRow.number < before)
    rows = session.execute(found.order_by(WebhookDeliveryRow.number.desc()).limit(limit))
    return [(row, kind) for row, kind in rows]


def delivery(session: Session, webhook_id: str, delivery_id: str) -> tuple[WebhookDeliveryRow, str] | None:
    """One delivery of a webhook and the kind of its event."""
    row = session.execute(
        select(WebhookDeliveryRow, WebhookEventRow.kind)
        .join(WebhookEventRow, WebhookEventRow.id == WebhookDeliveryRow.event_id)
        .where(WebhookDeliveryRow.id == delivery_id, WebhookDeliveryRow.webhook_id == webhook_id)
    ).first()
    return None if row is None else (row[0], row[1])


# -- delivering, for all organisations ---------------------------------------------------------------------------------


def lease(
    session: Session,
    owner: str,
    limit: int,
    now: datetime,
    until: datetime,
    passed: Passed = NOBODY,
    shares: Shares = UNSHARED,
) -> Sequence[Leased]:
    """Up to ``limit`` due deliveries within the shares of their organisations, now held by ``owner``.

    Deliveries that another process holds, and those that are ``passed`` over, stay where they are.
    """
    rows = next_due(session, limit, now, passed, shares)
    for leased, _, _ in rows:
        leased.lease_owner = owner
        leased.lease_expires_at = until
    session.flush()
    return rows


def settle(session: Session, owner: str, delivery_id: str, /, **values: Any) -> bool:
    """Whether ``owner`` still held the delivery: then it has these values, and nobody holds it."""
    held = session.execute(
        update(WebhookDeliveryRow)
        .where(WebhookDeliveryRow.id == delivery_id, WebhookDeliveryRow.lease_owner == owner)
        .values(lease_owner=None, lease_expires_at=None, **values)
        .execution_options(synchronize_session=False)
        .returning(WebhookDeliveryRow.id)
    ).first()
    return held is not None


def release_all(session: Session) -> None:
    """Let go of every delivery: for the start of the only process there is."""
    session.execute(
        update(WebhookDeliveryRow)
        .where(WebhookDeliveryRow.status == "queued", WebhookDeliveryRow.lease_owner.is_not(None))
        .values(lease_owner=None, lease_expires_at=None)
        .execution_options(synchronize_session=False)
    )


def set_failing_since(session: Session, webhook_id: str, now: datetime | None) -> datetime | None:
    """Since when the webhook's deliveries fail, ``now`` at the latest; None says that one has not.

    Nothing is written where nothing changes.
    """
    since = session.scalar(select(WebhookRow.failing_since).where(WebhookRow.id == webhook_id))
    if (since is None) == (now is None):
        return since
    session.execute(
        update(WebhookRow)
        .where(WebhookRow.id == webhook_id)
        .values(failing_since=now)
        .execution_options(synchronize_session=False)
    )
    return now


def fail_queued(session: Session, webhook_id: str, error: str, now: datetime) -> None:
    """Give up what is on its way to one webhook."""
    session.execute(
        update(WebhookDeliveryRow)
        .where(WebhookDeliveryRow.webhook_id == webhook_id, WebhookDeliveryRow.status == "queued")
        .values(status="failed", error=error, finished_at=now, lease_owner=None, lease_expires_at=None)
        .execution_options(synchronize_session=False)
    )


def seconds_to_next(session: Session, now: datetime, passed: Passed = NOBODY) -> float | None:
    """How long until a delivery that nobody holds and that is not ``passed`` over is due; None where there is none."""
    statement = select(WebhookDeliveryRow.due_at).where(
        WebhookDeliveryRow.status == "queued",
        is_free(now),
    )
    if passed != NOBODY:
        joined = statement.join(WebhookEventRow, WebhookEventRow.id == WebhookDeliveryRow.event_id)
        statement = passed.leave(joined)
    earliest = session.scalar(statement.order_by(WebhookDeliveryRow.due_at).limit(1))
    return None if earliest is None else max(0.0, (earliest - now).total_seconds())


def backlog(session: Session) -> tuple[int, datetime | None]:
    """How many deliveries are on their way, and since when the one that is due the longest should have gone.

    What waits for a webhook whose last attempt failed is counted, but makes nothing late: it is the receiver's doing.
    """
    number, oldest = session.execute(
        select(func.count(), func.min(case((WebhookRow.failing_since.is_(None), WebhookDeliveryRow.due_at))))
        .join(WebhookRow, WebhookRow.id == WebhookDeliveryRow.webhook_id)
        .where(WebhookDeliveryRow.status == "queued")
    ).one()
    return number, oldest


def prune(session: Session, before: datetime, limit: int) -> int:
    """Remove up to ``limit`` events that are older than ``before``, and their deliveries; how many went."""
    # The order of numbers is that of times, so the oldest are found without an index of their own.
    oldest = select(WebhookEventRow.number, WebhookEventRow.created_at).order_by(WebhookEventRow.number).limit(limit)
    numbers = [number for number, created_at in session.execute(oldest) if created_at < before]
    if numbers:
        session.execute(
            delete(WebhookEventRow)
            .where(WebhookEventRow.number.in_(numbers))
            .execution_options(synchronize_session=False)
        )
    return len(numbers)
