"""What an organisation can do with its webhooks."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final

from pinfold.core.errors import InvalidInput
from pinfold.db import Database, webhooks
from pinfold.db.session import Bound
from pinfold.services.accounts import Caller
from pinfold.services.clock import Clock, utc_now
from pinfold.services.webhooks import records
from pinfold.services.webhooks.address import check_url
from pinfold.services.webhooks.model import Delivery, DeliveryStatus, Event, EventKind, Webhook, WebhookStatus
from pinfold.services.webhooks.records import Found, as_delivery, as_webhook

SECRET_BYTES: Final = 32  # of the 24 to 64 that Standard Webhooks allows


class WebhooksService:
    """Webhooks, their events and deliveries, as their organisation may see and change them."""

    def __init__(
        self,
        database: Database,
        wake: Callable[[], None] = lambda: None,
        *,
        allow_private: bool = False,
        clock: Clock = utc_now,
    ) -> None:
        """``wake`` is called when there is something to deliver that was asked for by hand."""
        self._database = database
        self._wake = wake
        self._allow_private = allow_private
        self._clock = clock

    # -- webhooks --------------------------------------------------------------------------------------------------

    async def create(
        self, caller: Caller, url: str, description: str = "", events: Sequence[str] = ()
    ) -> tuple[Webhook, bytes]:
        """A new webhook and its secret, which is never shown again.

        Raises:  InvalidInput, AddressRefused, QuotaExceeded, where the organisation has as many as it can.
        """
        values = {
            "url": check_url(url, allow_private=self._allow_private),
            "description": description,
            "events": [str(kind) for kind in kinds_of(events)],
            "secret": secrets.token_bytes(SECRET_BYTES),
        }
        row = await self._of(caller).write(records.create, caller.actor, values, self._clock())
        return as_webhook(row), row.secret

    async def everyone(self, caller: Caller) -> list[Webhook]:
        """All webhooks, the oldest first."""
        return [as_webhook(row) for row in await self._of(caller).read(webhooks.everyone)]

    async def get(self, caller: Caller, webhook_id: str) -> Webhook:
        """One webhook.  Raises: RecordNotFound."""
        return as_webhook(await self._of(caller).read(records.require, webhook_id))

    async def update(
        self,
        caller: Caller,
        webhook_id: str,
        *,
        url: str | None = None,
        description: str | None = None,
        events: Sequence[str] | None = None,
        status: WebhookStatus | None = None,
    ) -> Webhook:
        """The webhook with what was given changed; one that becomes active again starts with a clean record.

        Raises:  RecordNotFound, InvalidInput, AddressRefused.
        """
        values: dict[str, Any] = {}
        if url is not None:
            values["url"] = check_url(url, allow_private=self._allow_private)
        if description is not None:
            values["description"] = description
        if events is not None:
            values["events"] = [str(kind) for kind in kinds_of(events)]
        row = await self._of(caller).write(records.update, caller.actor, webhook_id, values, status, self._clock())
        return as_webhook(row)

    async def delete(self, caller: Caller, webhook_id: str) -> None:
        """Forget the webhook, its deliveries and what is on its way.  Raises: RecordNotFound."""
        await self._of(caller).write(records.delete, caller.actor, webhook_id, self._clock())

    async def rotate(self, caller: Caller, webhook_id: str) -> tuple[Webhook, bytes]:
        """The webhook and its new secret; for a day events are signed with the old one as well.

        Raises:  RecordNotFound.
        """
        new = secrets.token_bytes(SECRET_BYTES)
        row = await self._of(caller).write(records.rotate, caller.actor, webhook_id, new, self._clock())
        return as_webhook(row), row.secret

    # -- events and deliveries ---------------------------------------------------------------------------------------

    async def events(
        self, caller: Caller, *, kind: str | None = None, before: int | None = None, limit: int = 20
    ) -> Found[Event]:
        """Events that a webhook wanted, the newest first."""
        return await self._of(caller).read(records.events, kind, before, limit)

    async def deliveries(
        self,
        caller: Caller,
        webhook_id: str,
        *,
        status: DeliveryStatus | None = None,
        before: int | None = None,
        limit: int = 20,
    ) -> Found[Delivery]:
        """What became of the events for one webhook, the newest first.  Raises: RecordNotFound."""
        return await self._of(caller).read(records.deliveries, webhook_id, status, before, limit)

    async def delivery(self, caller: Caller, webhook_id: str, delivery_id: str) -> Delivery:
        """One delivery.  Raises: RecordNotFound."""
        return as_delivery(*await self._of(caller).read(records.require_delivery, webhook_id, delivery_id))

    async def resend(self, caller: Caller, webhook_id: str, delivery_id: str) -> Delivery:
        """A new delivery of the same event: its receiver sees the same ``webhook-id``.

        Raises:  RecordNotFound, RecordConflict, where the webhook is disabled.
        """
        found = await self._of(caller).write(records.resend, caller.actor, webhook_id, delivery_id, self._clock())
        self._wake()
        return as_delivery(*found)

    async def test(self, caller: Caller, webhook_id: str) -> Delivery:
        """A delivery of a ``webhook.test`` event.  Raises: RecordNotFound, RecordConflict."""
        found = await self._of(caller).write(records.test, caller.actor, webhook_id, self._clock())
        self._wake()
        return as_delivery(*found)

    def _of(self, caller: Caller) -> Bound:
        return self._database.of(caller.organisation_id)


def kinds_of(names: Sequence[str]) -> list[EventKind]:
    """The kinds with these names, each once.  Raises: InvalidInput for one that there is not."""
    kinds = []
    for name in dict.fromkeys(names):
        try:
            kinds.append(EventKind(name))
        except ValueError:
            known = ", ".join(EventKind)
            raise InvalidInput(f"there is no event {name[:40]!r}", hint=f"There are: {known}.") from None
    return kinds
