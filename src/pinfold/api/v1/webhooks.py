"""Webhooks: where an organisation's events go, and what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from pinfold.api import cursors
from pinfold.api.auth import WebhooksReader, WebhooksWriter
from pinfold.api.envelope import Answer, ListAnswer, Pagination
from pinfold.api.errors import responses
from pinfold.services.webhooks import EventKind, WebhooksService
from pinfold.services.webhooks import model as webhooks
from pinfold.services.webhooks.model import DeliveryStatus, WebhookStatus

router = APIRouter(prefix="/api/v1/webhooks", tags=["webhooks"])

_ID = "0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11"
_TIME = "2026-01-31T12:00:00.000000Z"
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="

WebhookId = Annotated[UUID, Path(description="The webhook's id.", examples=[_ID])]
DeliveryId = Annotated[UUID, Path(description="The delivery's id.", examples=[_ID])]
Cursor = Annotated[
    str | None,
    Query(max_length=cursors.MAX_CHARACTERS, description="`next_cursor` of the page before; left out: the first page."),
]
Limit = Annotated[int, Query(ge=1, le=100, description="Entries on a page.")]

_EVENTS = "Kinds of events that it wants, of those that `GET /api/v1/webhooks/kinds` lists; empty: all."


class WebhookWish(BaseModel):
    """A webhook to be made."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        max_length=4096,
        description="Where events are posted: `https://…` or `http://…` on the public internet.",
        examples=["https://example.com/hooks/pinfold"],
    )
    description: str = Field("", max_length=500, description="What it is for.", examples=["to the build server"])
    events: list[str] = Field(default_factory=list, max_length=50, description=_EVENTS, examples=[["pin.failed"]])


class WebhookChange(BaseModel):
    """What is to be changed; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(None, max_length=4096, description="Where events are posted.")
    description: str | None = Field(None, max_length=500, description="What it is for.")
    events: list[str] | None = Field(None, max_length=50, description=_EVENTS)
    status: WebhookStatus | None = Field(
        None,
        description="`active` gets events; what happens while it is `disabled` is never sent.",
        examples=["active"],
    )


class Webhook(BaseModel):
    """Where events go."""

    id: str = Field(description="Names the webhook in this API.", examples=[_ID])
    url: str = Field(description="Where events are posted.", examples=["https://example.com/hooks/pinfold"])
    description: str = Field(description="What it is for.", examples=["to the build server"])
    events: list[str] = Field(description="Kinds that it wants; empty: all.", examples=[["pin.failed"]])
    status: WebhookStatus = Field(description="Whether it gets events.", examples=["active"])
    disabled_because: str | None = Field(description="Why it is disabled.", examples=[None])
    failing_since: datetime | None = Field(
        description="When deliveries began to fail that failed without a success between them.", examples=[None]
    )
    created_at: datetime = Field(description="When it was made, UTC.", examples=[_TIME])
    updated_at: datetime = Field(description="When it was changed last, UTC.", examples=[_TIME])

    @classmethod
    def of(cls, webhook: webhooks.Webhook) -> Webhook:
        """The webhook as the API tells it."""
        return cls(**_fields(webhook))


class WebhookWithSecret(Webhook):
    """A webhook and its secret, which is shown this once."""

    secret: str = Field(
        description="The key of the signatures (Standard Webhooks), shown this once.", examples=[_SECRET]
    )


class WebhookDeleted(BaseModel):
    """What was deleted."""

    id: str = Field(description="The id of the webhook that is gone.", examples=[_ID])


class Kind(BaseModel):
    """Something that can happen."""

    kind: EventKind = Field(description="Its name.", examples=["pin.failed"])
    meaning: str = Field(description="One sentence about it.", examples=["A pin's time was over, and it was removed."])


class Event(BaseModel):
    """Something that happened and that a webhook wanted to know."""

    id: str = Field(description="Names the event; sent as `webhook-id`.", examples=[_ID])
    type: str = Field(description="What happened.", examples=["pin.failed"])
    data: dict[str, Any] = Field(description="To what.", examples=[{"cid": "bafy…"}])
    created_at: datetime = Field(description="When, UTC.", examples=[_TIME])


class Delivery(BaseModel):
    """One event on its way to one webhook."""

    id: str = Field(description="Names the delivery.", examples=[_ID])
    webhook_id: str = Field(description="To which webhook.", examples=[_ID])
    event_id: str = Field(description="Which event.", examples=[_ID])
    event_kind: str = Field(description="What happened.", examples=["pin.failed"])
    status: DeliveryStatus = Field(
        description="`queued` until an attempt succeeds or the last one fails.", examples=["delivered"]
    )
    attempts: int = Field(description="Attempts so far.", examples=[1])
    next_attempt_at: datetime | None = Field(description="When it is tried next; null: not again.", examples=[None])
    response_status: int | None = Field(description="The HTTP status of the last answer.", examples=[204])
    duration_ms: int | None = Field(description="How long the last attempt took.", examples=[87])
    error: str | None = Field(description="Why the last attempt failed.", examples=[None])
    created_at: datetime = Field(description="When the event was put on its way, UTC.", examples=[_TIME])
    finished_at: datetime | None = Field(description="When it was delivered or given up, UTC.", examples=[_TIME])

    @classmethod
    def of(cls, delivery: webhooks.Delivery) -> Delivery:
        """The delivery as the API tells it."""
        return cls(**_fields(delivery))


def _fields(record: webhooks.Webhook | webhooks.Delivery) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}


def _service(request: Request) -> WebhooksService:
    service: WebhooksService = request.app.state.services.webhooks
    return service


@router.post(
    "",
    status_code=201,
    summary="Make a webhook",
    response_description="It is made; this is the only time that its secret is shown.",
    responses=responses(400, 401, 403, 413, 422),
)
async def create_webhook(request: Request, caller: WebhooksWriter, wish: WebhookWish) -> Answer[WebhookWithSecret]:
    """Events that happen from now on are posted to `url`, signed as Standard Webhooks describes.

    An answer of 2xx within 15 seconds is a delivery; redirects are not followed.  Anything else is tried again, less
    and less often, for about three days.  The same event may come more than once: `webhook-id` is then the same.
    Addresses that are not of the public internet are refused unless the server allows them.
    """
    made, secret = await _service(request).create(caller, wish.url, wish.description, wish.events)
    return Answer(success=True, data=WebhookWithSecret(**_fields(made), secret=webhooks.secret_text(secret)))


@router.get(
    "", summary="List webhooks", response_description="All of them, the oldest first.", responses=responses(401, 403)
)
async def list_webhooks(request: Request, caller: WebhooksReader) -> ListAnswer[Webhook]:
    """An organisation can have 20 webhooks, so there is one page."""
    found = [Webhook.of(one) for one in await _service(request).everyone(caller)]
    return ListAnswer(success=True, data=found, pagination=Pagination.of(1, max(len(found), 1), len(found)))


@router.get("/kinds", summary="List kinds of events", response_description="All.", responses=responses(401, 403))
async def list_webhook_kinds(_caller: WebhooksReader) -> Answer[list[Kind]]:
    """What can happen, and what a webhook can want to know."""
    return Answer(success=True, data=[Kind(kind=kind, meaning=kind.meaning) for kind in EventKind])


@router.get("/events", summary="List events", response_description="The page.", responses=responses(400, 401, 403, 422))
async def list_webhook_events(
    request: Request,
    caller: WebhooksReader,
    kind: Annotated[EventKind | None, Query(description="Only events of this kind.")] = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> ListAnswer[Event]:
    """Events that a webhook wanted to know, the newest first.  Old ones are removed (`webhook_events_days`)."""
    found = await _service(request).events(caller, kind=kind, before=cursors.decode_number(cursor), limit=limit)
    return ListAnswer(
        success=True,
        data=[Event(id=one.id, type=one.kind, data=one.data, created_at=one.created_at) for one in found.entries],
        pagination=Pagination.of(
            None, limit, found.total, is_exact=found.total_is_exact, next_cursor=_cursor(found.next_number)
        ),
    )


@router.get(
    "/{webhook_id}",
    summary="Look at a webhook",
    response_description="The webhook.",
    responses=responses(401, 403, 404, 422),
)
async def get_webhook(request: Request, caller: WebhooksReader, webhook_id: WebhookId) -> Answer[Webhook]:
    """One webhook, without its secret."""
    return Answer(success=True, data=Webhook.of(await _service(request).get(caller, str(webhook_id))))


@router.patch(
    "/{webhook_id}",
    summary="Change a webhook",
    response_description="The webhook as it is now.",
    responses=responses(400, 401, 403, 404, 413, 422),
)
async def update_webhook(
    request: Request, caller: WebhooksWriter, webhook_id: WebhookId, change: WebhookChange
) -> Answer[Webhook]:
    """Changes what is given.  A webhook that was disabled gets no events of the time between."""
    updated = await _service(request).update(
        caller,
        str(webhook_id),
        url=change.url,
        description=change.description,
        events=change.events,
        status=change.status,
    )
    return Answer(success=True, data=Webhook.of(updated))


@router.delete(
    "/{webhook_id}",
    summary="Delete a webhook",
    response_description="It is gone.",
    responses=responses(401, 403, 404, 422),
)
async def delete_webhook(request: Request, caller: WebhooksWriter, webhook_id: WebhookId) -> Answer[WebhookDeleted]:
    """Forgets the webhook with the log of its deliveries; what is on its way is not sent."""
    await _service(request).delete(caller, str(webhook_id))
    return Answer(success=True, data=WebhookDeleted(id=str(webhook_id)))


@router.post(
    "/{webhook_id}/rotate",
    summary="Give a webhook a new secret",
    response_description="The new secret, shown this once.",
    responses=responses(401, 403, 404, 422),
)
async def rotate_webhook_secret(
    request: Request, caller: WebhooksWriter, webhook_id: WebhookId
) -> Answer[WebhookWithSecret]:
    """For 24 hours each event is signed with the new and with the old secret, so that no receiver misses one."""
    made, secret = await _service(request).rotate(caller, str(webhook_id))
    return Answer(success=True, data=WebhookWithSecret(**_fields(made), secret=webhooks.secret_text(secret)))


@router.post(
    "/{webhook_id}/test",
    status_code=202,
    summary="Test a webhook",
    response_description="A test is on its way.",
    responses=responses(401, 403, 404, 409, 422),
)
async def test_webhook(request: Request, caller: WebhooksWriter, webhook_id: WebhookId) -> Answer[Delivery]:
    """Sends an event `webhook.test`, once; its delivery tells what came of it."""
    return Answer(success=True, data=Delivery.of(await _service(request).test(caller, str(webhook_id))))


@router.get(
    "/{webhook_id}/deliveries",
    summary="List deliveries",
    response_description="The page.",
    responses=responses(400, 401, 403, 404, 422),
)
async def list_webhook_deliveries(
    request: Request,
    caller: WebhooksReader,
    webhook_id: WebhookId,
    status: Annotated[DeliveryStatus | None, Query(description="Only deliveries of this status.")] = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> ListAnswer[Delivery]:
    """What became of the events for one webhook, the newest first."""
    found = await _service(request).deliveries(
        caller, str(webhook_id), status=status, before=cursors.decode_number(cursor), limit=limit
    )
    return ListAnswer(
        success=True,
        data=[Delivery.of(one) for one in found.entries],
        pagination=Pagination.of(
            None, limit, found.total, is_exact=found.total_is_exact, next_cursor=_cursor(found.next_number)
        ),
    )


@router.get(
    "/{webhook_id}/deliveries/{delivery_id}",
    summary="Look at a delivery",
    response_description="The delivery.",
    responses=responses(401, 403, 404, 422),
)
async def get_webhook_delivery(
    request: Request, caller: WebhooksReader, webhook_id: WebhookId, delivery_id: DeliveryId
) -> Answer[Delivery]:
    """How one delivery stands."""
    found = await _service(request).delivery(caller, str(webhook_id), str(delivery_id))
    return Answer(success=True, data=Delivery.of(found))


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/resend",
    status_code=202,
    summary="Send an event again",
    response_description="It is on its way.",
    responses=responses(401, 403, 404, 409, 422),
)
async def resend_webhook_delivery(
    request: Request, caller: WebhooksWriter, webhook_id: WebhookId, delivery_id: DeliveryId
) -> Answer[Delivery]:
    """A new delivery of the same event; `webhook-id` is the same, so a receiver that has it knows it."""
    found = await _service(request).resend(caller, str(webhook_id), str(delivery_id))
    return Answer(success=True, data=Delivery.of(found))


def _cursor(number: int | None) -> str | None:
    return None if number is None else cursors.encode(number)
