"""Webhooks in the database of their organisation: every function runs inside one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from pinfold.core.errors import QuotaExceeded, RecordConflict, RecordNotFound
from pinfold.db import changes, webhooks
from pinfold.db.changes import Actor, Change
from pinfold.db.counting import count_up_to
from pinfold.db.models import WebhookDeliveryRow, WebhookEventRow, WebhookRow
from pinfold.services.webhooks.model import Delivery, DeliveryStatus, Event, EventKind, Webhook, WebhookStatus

T = TypeVar("T")

MOST_WEBHOOKS: Final = 20  # every event is written down once for each; nobody needs more
ROTATION_OVERLAP: Final = timedelta(hours=24)  # time enough to bring a new secret to every receiver


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """One page of a list, and how long the list is."""

    entries: Sequence[T]
    total: int
    total_is_exact: bool
    next_number: int | None
    """Below which the next page begins; None on the last one."""


# -- reading -----------------------------------------------------------------------------------------------------------


def require(session: Session, webhook_id: str) -> WebhookRow:
    """The webhook.  Raises: RecordNotFound."""
    row = webhooks.by_id(session, webhook_id)
    if row is None:
        raise RecordNotFound(f"there is no webhook {webhook_id[:64]}")
    return row


def require_delivery(session: Session, webhook_id: str, delivery_id: str) -> tuple[WebhookDeliveryRow, str]:
    """The delivery of a webhook, and the kind of its event.  Raises: RecordNotFound."""
    require(session, webhook_id)
    found = webhooks.delivery(session, webhook_id, delivery_id)
    if found is None:
        raise RecordNotFound(f"the webhook has no delivery {delivery_id[:64]}")
    return found


def events(session: Session, kind: str | None, before: int | None, limit: int) -> Found[Event]:
    """A page of events, the newest first."""
    filtered = select(WebhookEventRow)
    if kind is not None:
        filtered = filtered.where(WebhookEventRow.kind == kind)
    total, is_exact = count_up_to(session, filtered)
    rows = webhooks.events(session, kind=kind, before=before, limit=limit + 1)
    return Found([as_event(row) for row in rows[:limit]], total, is_exact, _next(rows, limit))


def deliveries(
    session: Session, webhook_id: str, status: str | None, before: int | None, limit: int
) -> Found[Delivery]:
    """A page of a webhook's deliveries, the newest first.  Raises: RecordNotFound."""
    require(session, webhook_id)
    filtered = select(WebhookDeliveryRow).where(WebhookDeliveryRow.webhook_id == webhook_id)
    if status is not None:
        filtered = filtered.where(WebhookDeliveryRow.status == status)
    total, is_exact = count_up_to(session, filtered)
    rows = webhooks.deliveries(session, webhook_id, status=status, before=before, limit=limit + 1)
    next_number = _next([row for row, _ in rows], limit)
    return Found([as_delivery(row, kind) for row, kind in rows[:limit]], total, is_exact, next_number)


def _next(rows: Sequence[WebhookEventRow | WebhookDeliveryRow], limit: int) -> int | None:
    return rows[limit - 1].number if len(rows) > limit else None


# -- changing ----------------------------------------------------------------------------------------------------------


def create(session: Session, actor: Actor, values: dict[str, Any], now: datetime) -> WebhookRow:
    """A new webhook.  Raises: QuotaExceeded, where the organisation has as many as it can."""
    change = changes.begin(session, actor, now)
    if webhooks.count(session) >= MOST_WEBHOOKS:
        raise QuotaExceeded(f"an organisation can have {MOST_WEBHOOKS} webhooks", hint="Delete one first.")
    at = change.created_at()
    row = WebhookRow(**values, organisation_id=change.organisation_id, status="active", created_at=at, updated_at=at)
    session.add(row)
    session.flush()
    change.totals.webhooks += 1
    change.audit("webhook.created", row.id, url=row.url, events=row.events)
    return row


def update(
    session: Session,
    actor: Actor,
    webhook_id: str,
    values: dict[str, Any],
    status: WebhookStatus | None,
    now: datetime,
) -> WebhookRow:
    """The webhook with these values and this status.  Raises: RecordNotFound."""
    change = changes.begin(session, actor, now)
    row = require(session, webhook_id)
    for name, value in values.items():
        setattr(row, name, value)
    if status is not None and status != row.status:
        if status == "active":
            row.disabled_because = row.failing_since = None
            row.status = status
            change.totals.webhooks += 1
        else:
            _disable(change, row, "somebody disabled it")
        values = {**values, "status": status}
    row.updated_at = now
    change.audit("webhook.updated", row.id, **values)
    return row


def delete(session: Session, actor: Actor, webhook_id: str, now: datetime) -> None:
    """Forget a webhook and its deliveries.  Raises: RecordNotFound."""
    change = changes.begin(session, actor, now)
    row = require(session, webhook_id)
    if row.status == "active":
        change.totals.webhooks -= 1
    session.delete(row)  # its deliveries go with it
    change.audit("webhook.deleted", row.id, url=row.url)


def rotate(session: Session, actor: Actor, webhook_id: str, new: bytes, now: datetime) -> WebhookRow:
    """The webhook with a new secret, the old one kept beside it for a while.  Raises: RecordNotFound."""
    change = changes.begin(session, actor, now)
    row = require(session, webhook_id)
    if row.secret != new:  # else this transaction is run again
        row.previous_secret, row.previous_secret_until = row.secret, now + ROTATION_OVERLAP
    row.secret = new
    row.updated_at = now
    change.audit("webhook.secret_rotated", row.id)
    return row


def disable_for(session: Session, organisation_id: str, webhook_id: str, because: str, now: datetime) -> None:
    """Disable a webhook that cannot be delivered to, in a session for everybody; fine where it is gone or disabled."""
    try:
        change = changes.begin_for(session, organisation_id, changes.SYSTEM, now)
    except RecordNotFound:
        return
    row = webhooks.by_id(session, webhook_id)
    if row is None or row.status != "active":
        return
    _disable(change, row, because)
    row.updated_at = now
    change.audit("webhook.disabled", row.id, url=row.url, because=because)


def _disable(change: Change, row: WebhookRow, because: str) -> None:
    row.status = "disabled"
    row.disabled_because = because
    change.totals.webhooks -= 1
    webhooks.fail_queued(change.session, row.id, "the webhook was disabled", change.now)


def resend(
    session: Session, actor: Actor, webhook_id: str, delivery_id: str, now: datetime
) -> tuple[WebhookDeliveryRow, str]:
    """A new delivery of an old one's event, and the event's kind.  Raises: RecordNotFound, RecordConflict."""
    change = changes.begin(session, actor, now)
    _require_active(session, webhook_id)
    old, kind = require_delivery(session, webhook_id, delivery_id)
    change.audit("webhook.resent", webhook_id, delivery=delivery_id, event=old.event_id)
    return webhooks.put_again(session, old, change.now), kind


def test(session: Session, actor: Actor, webhook_id: str, now: datetime) -> tuple[WebhookDeliveryRow, str]:
    """A delivery of a test event, and its kind.  Raises: RecordNotFound, RecordConflict."""
    change = changes.begin(session, actor, now)
    row = _require_active(session, webhook_id)
    payload = {"webhook_id": row.id, "message": "This is a test."}
    webhooks.put(session, change.organisation_id, EventKind.WEBHOOK_TEST, payload, [row.id], change.now)
    change.audit("webhook.tested", row.id)
    return webhooks.deliveries(session, row.id, limit=1)[0]


def _require_active(session: Session, webhook_id: str) -> WebhookRow:
    row = require(session, webhook_id)
    if row.status != "active":
        raise RecordConflict("this webhook is disabled", hint='PATCH it with {"status": "active"} first.')
    return row


# -- as others see them ------------------------------------------------------------------------------------------------


def as_webhook(row: WebhookRow) -> Webhook:
    """The webhook, without its secret."""
    return Webhook(
        id=row.id,
        url=row.url,
        description=row.description,
        events=tuple(map(EventKind, row.events)),
        status=cast(WebhookStatus, row.status),
        disabled_because=row.disabled_because,
        failing_since=row.failing_since,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def as_event(row: WebhookEventRow) -> Event:
    """The event."""
    return Event(row.id, row.kind, row.payload, row.created_at)


def as_delivery(row: WebhookDeliveryRow, kind: str) -> Delivery:
    """The delivery of an event of this kind."""
    return Delivery(
        id=row.id,
        webhook_id=row.webhook_id,
        event_id=row.event_id,
        event_kind=kind,
        status=cast(DeliveryStatus, row.status),
        attempts=row.attempts,
        next_attempt_at=row.due_at if row.status == "queued" else None,
        response_status=row.response_status,
        duration_ms=row.duration_ms,
        error=row.error,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
