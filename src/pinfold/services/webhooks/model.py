"""Types of webhooks: what can happen, who is told, and what became of it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

SECRET_PREFIX: Final = "whsec_"


class EventKind(StrEnum):
    """What can happen; a webhook may want all of it or some."""

    FILE_CREATED = "file.created"
    FILE_UPDATED = "file.updated"
    FILE_DELETED = "file.deleted"
    PIN_CREATED = "pin.created"
    PIN_PINNED = "pin.pinned"
    PIN_FAILED = "pin.failed"
    PIN_EXPIRED = "pin.expired"
    PIN_DELETED = "pin.deleted"
    QUOTA_WARNING = "quota.warning"
    WEBHOOK_TEST = "webhook.test"

    @property
    def meaning(self) -> str:
        """One sentence about it."""
        return MEANINGS[self]


MEANINGS: Final[dict[EventKind, str]] = {
    EventKind.FILE_CREATED: "A file was uploaded.",
    EventKind.FILE_UPDATED: "A file's name, tags or metadata changed.",
    EventKind.FILE_DELETED: "A file was deleted.",
    EventKind.PIN_CREATED: "A pin was asked for.",
    EventKind.PIN_PINNED: "Enough copies of a pin's content are there.",
    EventKind.PIN_FAILED: "A pin could not be carried out; it is tried again by itself.",
    EventKind.PIN_EXPIRED: "A pin's time was over, and it was removed.",
    EventKind.PIN_DELETED: "A pin was removed.",
    EventKind.QUOTA_WARNING: "80 or 95 per cent of a quota are used.",
    EventKind.WEBHOOK_TEST: "A test that somebody asked for; it goes to the tested webhook, whatever that one wants.",
}

WebhookStatus = Literal["active", "disabled"]
DeliveryStatus = Literal["queued", "delivered", "failed"]


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where events of an organisation go."""

    id: str
    url: str
    description: str
    events: tuple[EventKind, ...]
    """Kinds that it wants; none: all."""
    status: WebhookStatus
    disabled_because: str | None
    failing_since: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened and that a webhook wanted to know."""

    id: str
    kind: str
    data: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one webhook."""

    id: str
    webhook_id: str
    event_id: str
    event_kind: str
    status: DeliveryStatus
    attempts: int
    next_attempt_at: datetime | None
    """None where there will be none."""
    response_status: int | None
    duration_ms: int | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None


def secret_text(secret: bytes) -> str:
    """A key as its receiver gets it.

    Source:  Standard Webhooks, "Signature scheme": whsec_ and base64.
    """
    return SECRET_PREFIX + base64.b64encode(secret).decode("ascii")
