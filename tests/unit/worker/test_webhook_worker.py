from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy.orm import Session
from starlette.responses import Response

from pinfold.db import Database, changes, webhooks
from pinfold.db.changes import SYSTEM
from pinfold.services.accounts import Caller
from pinfold.services.webhooks import Deliverer, WebhooksService
from pinfold.services.webhooks.model import secret_text
from pinfold.worker import WebhookWorker
from tests.support.receiver import Receiver
from tests.support.tenants import make_organisation

URL = "https://receiver.example/hooks"


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Database]:
    database = Database(database_url or f"sqlite:///{tmp_path / 'platform.sqlite3'}")
    yield database
    database.close()


class House:
    def __init__(self, database: Database) -> None:
        self.database = database
        organisation_id = database.everybody.write_now(make_organisation, "one")
        self.caller = Caller("t", "tests", organisation_id, frozenset())
        self.service = WebhooksService(database)
        self.receivers: dict[str, Receiver] = {}

    async def webhook(self, name: str) -> tuple[str, Receiver]:
        """The id of a webhook that wants one kind of its own, and who gets it."""
        made, secret = await self.service.create(self.caller, f"https://{name}.example/", "", [name])
        self.receivers[f"{name}.example"] = receiver = Receiver(secret_text(secret))
        return made.id, receiver

    def worker(self, **options: float) -> WebhookWorker:
        mounts = {f"https://{host}": httpx.ASGITransport(one) for host, one in self.receivers.items()}
        client = httpx.AsyncClient(mounts=mounts, transport=httpx.MockTransport(_unreachable))
        deliverer = Deliverer(self.database, owner="worker", client=client)
        return WebhookWorker(deliverer, poll_s=options.get("poll_s", 0.01), concurrency=int(options.get("at_once", 16)))

    async def tell(self, kind: str) -> None:
        def query(session: Session) -> None:
            changes.begin(session, SYSTEM, datetime.now(UTC)).tell(kind, {})

        await self.database.of(self.caller.organisation_id).write(query)

    async def statuses(self, webhook_id: str) -> list[str]:
        found = await self.service.deliveries(self.caller, webhook_id, limit=100)
        return [one.status for one in found.entries]


def _unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody is there")


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def test_events_are_delivered_as_they_come(house: House) -> None:
    async def go() -> None:
        webhook, receiver = await house.webhook("pin.failed")
        worker = house.worker()
        running = asyncio.create_task(worker.run())
        for number in range(1, 30):
            await house.tell("pin.failed")
            if number % 10 == 0:
                await receiver.until(number)
        await receiver.until(29)
        worker.stop()
        await running
        assert await house.statuses(webhook) == ["delivered"] * 29

    asyncio.run(go())


def test_a_receiver_that_hangs_holds_up_no_other(house: House) -> None:
    async def go() -> None:
        gone_on = asyncio.Event()

        async def hang() -> Response:
            await gone_on.wait()
            return Response()

        _, slow = await house.webhook("file.created")
        _, quick = await house.webhook("pin.failed")
        slow.answer = hang
        for _ in range(30):
            await house.tell("file.created")
        worker = house.worker(at_once=8)
        running = asyncio.create_task(worker.run())
        await slow.until(4)
        await house.tell("pin.failed")
        await quick.until(1)
        assert len(slow.got) == 4
        gone_on.set()
        await slow.until(30)
        worker.stop()
        await running

    asyncio.run(go())


def test_one_that_cannot_be_reached_is_left_alone_for_a_while(house: House) -> None:
    async def go() -> None:
        made, _ = await house.service.create(house.caller, "https://nobody.example/", "", ["file.created"])
        _, other = await house.webhook("pin.failed")
        for _ in range(20):
            await house.tell("file.created")
        worker = house.worker()
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(10):
            while (await house.service.get(house.caller, made.id)).failing_since is None:
                await asyncio.sleep(0.01)
        await house.tell("pin.failed")
        await other.until(1)
        worker.stop()
        await running
        tried = await house.service.deliveries(house.caller, made.id, limit=100)
        assert sum(one.attempts for one in tried.entries) <= 4, "those that were under way together, and no more"

    asyncio.run(go())


def test_a_stop_waits_for_what_is_under_way_and_gives_the_rest_back(house: House) -> None:
    async def go() -> None:
        gone_on = asyncio.Event()

        async def hang() -> Response:
            await gone_on.wait()
            return Response()

        webhook, receiver = await house.webhook("pin.failed")
        receiver.answer = hang
        await house.tell("pin.failed")
        worker = house.worker()
        running = asyncio.create_task(worker.run(stop_grace_s=0.05))
        await receiver.until(1)
        worker.stop()
        await running
        assert await house.statuses(webhook) == ["queued"]
        gone_on.set()
        again = house.worker()
        running = asyncio.create_task(again.run())
        await receiver.until(2)
        again.stop()
        await running
        assert await house.statuses(webhook) == ["delivered"]
        assert len({event_id for event_id, _ in receiver.got}) == 1

    asyncio.run(go())


def test_what_a_killed_worker_held_is_delivered_once_its_lease_ends(house: House) -> None:
    async def go() -> None:
        webhook, receiver = await house.webhook("pin.failed")
        await house.tell("pin.failed")
        now = datetime.now(UTC)
        leased = await house.database.everybody.write(webhooks.lease, "killed", 10, now, now + timedelta(seconds=0.2))
        assert len(leased) == 1
        worker = house.worker()
        running = asyncio.create_task(worker.run())
        await receiver.until(1)
        worker.stop()
        await running
        assert await house.statuses(webhook) == ["delivered"]

    asyncio.run(go())
