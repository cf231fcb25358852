from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
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
from pinfold.services.webhooks.jobs import TIMEOUT_S
from pinfold.services.webhooks.model import Delivery, EventKind, secret_text
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
    def __init__(self, database: Database, slug: str = "one") -> None:
        self.database = database
        organisation_id = database.everybody.write_now(make_organisation, slug)
        self.caller = Caller("t", "tests", organisation_id, frozenset())
        self.service = WebhooksService(database)
        self.receivers: dict[str, Receiver] = {}

    async def webhook(self, name: str) -> tuple[str, Receiver]:
        """The id of a webhook that wants one kind of its own, and who gets it."""
        host = f"{name}.{self.caller.organisation_id}.example"
        made, secret = await self.service.create(self.caller, f"https://{host}/", "", [name])
        self.receivers[host] = receiver = Receiver(secret_text(secret))
        return made.id, receiver

    def worker(self, *, others: Sequence[House] = (), **options: float) -> WebhookWorker:
        receivers = {host: one for house in (self, *others) for host, one in house.receivers.items()}
        mounts = {f"https://{host}": httpx.ASGITransport(one) for host, one in receivers.items()}
        client = httpx.AsyncClient(mounts=mounts, transport=httpx.MockTransport(_unreachable))
        deliverer = Deliverer(
            self.database, owner="worker", client=client, timeout_s=options.get("timeout_s", TIMEOUT_S)
        )
        return WebhookWorker(deliverer, poll_s=options.get("poll_s", 0.01), concurrency=int(options.get("at_once", 16)))

    async def tell(self, kind: str) -> None:
        def query(session: Session) -> None:
            changes.begin(session, SYSTEM, datetime.now(UTC)).tell(kind, {})

        await self.database.of(self.caller.organisation_id).write(query)

    async def statuses(self, webhook_id: str) -> list[str]:
        found = await self.service.deliveries(self.caller, webhook_id, limit=100)
        return [one.status for one in found.entries]

    async def deliveries(self, webhook_id: str) -> Sequence[Delivery]:
        return (await self.service.deliveries(self.caller, webhook_id, limit=100)).entries

    async def until_failing(self, webhook_id: str) -> None:
        async with asyncio.timeout(10):
            while (await self.service.get(self.caller, webhook_id)).failing_since is None:
                await asyncio.sleep(0.01)


async def _never() -> Response:
    await asyncio.Event().wait()
    return Response()


async def _at_once() -> Response:
    return Response()


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


def test_one_that_does_not_answer_is_left_alone_for_a_while(house: House) -> None:
    async def go() -> None:
        webhook, silent = await house.webhook("file.created")
        _, other = await house.webhook("pin.failed")
        silent.answer = _never
        for _ in range(20):
            await house.tell("file.created")
        worker = house.worker(timeout_s=0.5)
        running = asyncio.create_task(worker.run())
        await house.until_failing(webhook)
        await house.tell("pin.failed")
        await other.until(1)
        worker.stop()
        await running
        tried = await house.service.deliveries(house.caller, webhook, limit=100)
        assert sum(one.attempts for one in tried.entries) <= 4, "those that were under way together, and no more"

    asyncio.run(go())


def test_one_that_refuses_at_once_does_not_make_its_other_deliveries_late(house: House) -> None:
    async def go() -> None:
        made, _ = await house.service.create(house.caller, "https://nobody.example/", "", ["file.created"])
        for _ in range(12):
            await house.tell("file.created")
        worker = house.worker()
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(15):
            while not all(one.attempts for one in await house.deliveries(made.id)):
                await asyncio.sleep(0.01)
        worker.stop()
        await running

    asyncio.run(go())


@pytest.mark.parametrize("by_hand", ["resend", "test"])
def test_what_is_asked_for_by_hand_goes_at_once_to_one_that_is_left_alone(house: House, by_hand: str) -> None:
    async def go() -> None:
        webhook, receiver = await house.webhook("file.created")
        receiver.answer = _never
        for _ in range(6):
            await house.tell("file.created")
        worker = house.worker(timeout_s=1.0)
        running = asyncio.create_task(worker.run())
        await house.until_failing(webhook)
        while sum(one.attempts for one in await house.deliveries(webhook)) < 4:
            await asyncio.sleep(0.01)
        receiver.answer = _at_once
        if by_hand == "resend":
            first = (await house.deliveries(webhook))[-1]
            asked = await house.service.resend(house.caller, webhook, first.id)
        else:
            asked = await house.service.test(house.caller, webhook)
        async with asyncio.timeout(5):  # the others would wait for twice as long
            while (await house.service.delivery(house.caller, webhook, asked.id)).status != "delivered":
                await asyncio.sleep(0.01)
            # It has answered: what had not been tried yet need not wait any longer either.
            while sum(one.status == "delivered" for one in await house.deliveries(webhook)) < 3:
                await asyncio.sleep(0.01)
        worker.stop()
        await running

    asyncio.run(go())


def test_a_delivery_to_a_failing_receiver_is_in_the_backlog_and_does_not_count_as_late(house: House) -> None:
    async def go() -> None:
        made, _ = await house.service.create(house.caller, "https://nobody.example/", "", ["file.created"])
        await house.webhook("pin.failed")
        await house.tell("file.created")
        assert (await house.database.everybody.read(webhooks.backlog))[1] is not None
        worker = house.worker()
        running = asyncio.create_task(worker.run())
        await house.until_failing(made.id)
        worker.stop()
        await running
        assert await house.database.everybody.read(webhooks.backlog) == (1, None)
        await house.tell("pin.failed")
        number, oldest = await house.database.everybody.read(webhooks.backlog)
        assert number == 2
        assert oldest is not None and datetime.now(UTC) - oldest < timedelta(minutes=1)

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


def test_an_organisation_with_many_slow_receivers_holds_up_no_other(house: House) -> None:
    async def go() -> None:
        goes_on = asyncio.Event()

        async def hang() -> Response:
            await goes_on.wait()
            return Response()

        kinds = [one.value for one in EventKind][:12]
        slow = [(await house.webhook(kind))[1] for kind in kinds]
        for receiver in slow:
            receiver.answer = hang
        for kind in kinds:
            for _ in range(5):
                await house.tell(kind)
        other = House(house.database, "other")
        _, quick = await other.webhook("pin.failed")
        worker = house.worker(at_once=16, others=(other,))
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(10):
            while sum(len(receiver.got) for receiver in slow) < 5:
                await asyncio.sleep(0.01)
        for number in range(1, 21):
            await other.tell("pin.failed")
            await quick.until(number)
        assert sum(len(receiver.got) for receiver in slow) == 5, "an organisation has its share and no more"
        goes_on.set()
        worker.stop()
        await running

    asyncio.run(go())


def test_slow_receivers_of_many_organisations_leave_places_to_those_that_answer(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinfold.worker.webhooks._SLOW_S", 0.02)

    async def go() -> None:
        goes_on = asyncio.Event()

        async def late() -> Response:
            await asyncio.sleep(0.03)
            return Response()

        async def hang() -> Response:
            await goes_on.wait()
            return Response()

        slow = [House(house.database, f"slow-{number}") for number in range(4)]
        receivers = [(await one.webhook("pin.failed"))[1] for one in slow]
        for receiver, one in zip(receivers, slow, strict=True):
            receiver.answer = late
            await one.tell("pin.failed")
        _, quick = await house.webhook("pin.failed")
        worker = house.worker(at_once=8, others=slow)
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(10):
            while len(worker._slow) < 4:
                await asyncio.sleep(0.01)
        for receiver, one in zip(receivers, slow, strict=True):
            receiver.answer = hang
            for _ in range(4):
                await one.tell("pin.failed")
        async with asyncio.timeout(10):
            while sum(len(receiver.got) for receiver in receivers) < 4 + 4:
                await asyncio.sleep(0.01)
        for number in range(1, 6):
            await house.tell("pin.failed")
            await quick.until(number)
        assert sum(len(receiver.got) for receiver in receivers) == 4 + 4, "half of the places, for all of them"
        goes_on.set()
        worker.stop()
        await running

    asyncio.run(go())
