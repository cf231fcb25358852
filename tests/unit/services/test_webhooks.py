from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError
from starlette.responses import RedirectResponse, Response, StreamingResponse

import pinfold
from pinfold.core.errors import AddressRefused, InvalidInput, QuotaExceeded, RecordConflict, RecordNotFound
from pinfold.db import Database, changes, webhooks
from pinfold.db.changes import SYSTEM
from pinfold.db.models import AuditRow, TotalsRow, WebhookDeliveryRow, WebhookEventRow
from pinfold.services.accounts import Caller
from pinfold.services.webhooks import Deliverer, EventKind, WebhooksService, message
from pinfold.services.webhooks.jobs import BACKOFF, LEASE, Attempt
from pinfold.services.webhooks.model import Delivery, Webhook, secret_text
from pinfold.services.webhooks.upkeep import prune_events
from tests.support.receiver import Receiver
from tests.support.tenants import make_organisation

T = TypeVar("T")

URL = "https://receiver.example/hooks"


class Clock:
    """A time that a test moves on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def on(self, by: timedelta) -> None:
        self.now += by


class House:
    """A tenant, its webhooks and who gets them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = Clock()
        self.caller = caller_of(database, "one")
        self.service = WebhooksService(database, clock=self.clock)
        self.receiver = Receiver()

    def deliverer(self, owner: str = "worker", **options: Any) -> Deliverer:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(self.receiver))
        return Deliverer(self.database, owner=owner, client=client, clock=self.clock, **options)

    async def webhook(self, *events: str) -> Webhook:
        made, secret = await self.service.create(self.caller, URL, "", events)
        self.receiver.secret = secret_text(secret)
        return made

    def tell(self, kind: str = "pin.failed", caller: Caller | None = None, **payload: Any) -> None:
        def query(session: Session) -> None:
            changes.begin(session, SYSTEM, self.clock()).tell(kind, payload)

        self.database.of((caller or self.caller).organisation_id).write_now(query)

    async def deliver(self, deliverer: Deliverer, limit: int = 100) -> list[Attempt]:
        """Try all that is due, once."""
        return [await deliverer.carry_out(one) for one in await deliverer.lease(limit)]

    async def deliveries(self, webhook: Webhook) -> list[Delivery]:
        return list((await self.service.deliveries(self.caller, webhook.id, limit=100)).entries)


def caller_of(database: Database, slug: str) -> Caller:
    organisation_id = database.everybody.write_now(make_organisation, slug)
    return Caller("t", "tests", organisation_id, frozenset())


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def number_of(database: Database, table: Any) -> int:
    return database.everybody.read_now(lambda session: session.scalar(select(func.count()).select_from(table)) or 0)


# -- who is told -------------------------------------------------------------------------------------------------------


def test_an_event_reaches_the_webhooks_that_want_it_signed(house: House) -> None:
    async def go() -> None:
        wanting = await house.webhook("pin.failed")
        await house.service.create(house.caller, URL, "", ["file.created"])
        house.tell("pin.failed", cid="bafy", error="ß is no ASCII")
        assert [one.error for one in await house.deliver(house.deliverer())] == [None]
        ((event_id, said),) = house.receiver.got
        assert said["type"] == "pin.failed"
        assert said["data"] == {"cid": "bafy", "error": "ß is no ASCII"}
        assert datetime.fromisoformat(said["timestamp"]) == house.clock()
        (delivery,) = await house.deliveries(wanting)
        assert (delivery.status, delivery.attempts, delivery.response_status) == ("delivered", 1, 204)
        assert (delivery.event_id, delivery.event_kind, delivery.error) == (event_id, "pin.failed", None)
        assert delivery.finished_at == house.clock()
        assert delivery.next_attempt_at is None
        assert await house.deliver(house.deliverer()) == []

    run(go())


def test_a_webhook_without_kinds_wants_all(house: House) -> None:
    async def go() -> None:
        await house.webhook()
        house.tell("file.created")
        house.tell("quota.warning")
        await house.deliver(house.deliverer())
        assert [said["type"] for _, said in house.receiver.got] == ["file.created", "quota.warning"]

    run(go())


def test_one_tenants_events_reach_no_other(house: House) -> None:
    async def go() -> None:
        await house.webhook()
        house.tell(caller=caller_of(house.database, "two"))
        assert await house.deliverer().lease(10) == []
        assert number_of(house.database, WebhookEventRow) == 0

    run(go())


def test_an_event_told_by_a_worker_for_all_stays_in_its_organisation(house: House) -> None:
    async def go() -> None:
        await house.webhook()
        other = caller_of(house.database, "two")
        await WebhooksService(house.database).create(other, URL)

        def query(session: Session) -> None:
            changes.begin_for(session, house.caller.organisation_id, SYSTEM, house.clock()).tell("pin.pinned", {})

        house.database.everybody.write_now(query)
        assert {one[1].organisation_id for one in await house.deliverer().lease(10)} == {house.caller.organisation_id}

    run(go())


def test_where_there_is_no_webhook_an_event_costs_no_query(house: House) -> None:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(house.database.engine, "before_cursor_execute", note)
    house.tell()
    assert statements
    assert not [statement for statement in statements if "webhook" in statement.lower().replace("totals.webhooks", "")]


def test_an_event_of_a_change_that_fails_is_never_sent(house: House) -> None:
    async def go() -> None:
        await house.webhook()

        def query(session: Session) -> None:
            changes.begin(session, SYSTEM, house.clock()).tell("file.created", {})
            raise RuntimeError("and then it fails")

        with pytest.raises(RuntimeError):
            await house.database.of(house.caller.organisation_id).write(query)
        assert await house.deliverer().lease(10) == []

    run(go())


def test_the_count_of_active_webhooks_follows_every_change(house: House) -> None:
    def active() -> int:
        return house.database.of(house.caller.organisation_id).read_now(
            lambda session: session.scalars(select(TotalsRow.webhooks)).one()
        )

    async def go() -> None:
        first, second = await house.webhook(), await house.webhook()
        assert active() == 2
        for status, number in (("disabled", 1), ("disabled", 1), ("active", 2)):
            await house.service.update(house.caller, first.id, status=status)  # type: ignore[arg-type]
            assert active() == number
        await house.service.delete(house.caller, first.id)
        assert active() == 1
        await house.service.update(house.caller, second.id, status="disabled")
        await house.service.delete(house.caller, second.id)
        assert active() == 0

    run(go())


# -- what fails is tried again -----------------------------------------------------------------------------------------


def test_a_failed_delivery_is_tried_for_three_days_less_and_less_often(house: House) -> None:
    async def go() -> None:
        webhook, deliverer = await house.webhook(), house.deliverer(disable_after=timedelta(days=30))
        house.receiver.status, house.receiver.body = 500, b"no \x00 room\n"
        house.tell()
        began = house.clock()
        for pause in BACKOFF:
            assert [one.status for one in await house.deliver(deliverer)] == [500]
            (delivery,) = await house.deliveries(webhook)
            assert delivery.error == "HTTP 500: no room"
            assert delivery.next_attempt_at is not None
            waits = delivery.next_attempt_at - house.clock()
            assert pause <= waits <= pause * 1.1
            assert await house.deliver(deliverer) == [], "it is not due yet"
            house.clock.on(waits)
        assert timedelta(days=2.5) < house.clock() - began < timedelta(days=3.5)
        assert len(await house.deliver(deliverer)) == 1
        (delivery,) = await house.deliveries(webhook)
        assert (delivery.status, delivery.attempts, delivery.next_attempt_at) == ("failed", len(BACKOFF) + 1, None)

    run(go())


def test_the_same_event_has_the_same_id_on_every_attempt(house: House) -> None:
    async def go() -> None:
        await house.webhook()
        house.receiver.status = 503
        house.tell()
        for _ in range(2):
            await house.deliver(house.deliverer())
            house.clock.on(timedelta(minutes=1))
        (first, body), (second, again) = house.receiver.got
        assert first == second
        assert body == again

    run(go())


def test_a_kill_between_sending_and_recording_sends_again_with_the_same_id(house: House) -> None:
    async def go() -> None:
        webhook = await house.webhook()
        house.tell()
        killed = house.deliverer("killed")
        (leased,) = await killed.lease(10)
        await killed._post(leased)  # sent; and nothing is recorded
        assert await house.deliver(house.deliverer("other")) == [], "the lease of the killed one still stands"
        house.clock.on(LEASE)
        assert len(await house.deliver(house.deliverer("other"))) == 1
        assert len({event_id for event_id, _ in house.receiver.got}) == 1
        assert len(house.receiver.got) == 2
        assert (await house.deliveries(webhook))[0].status == "delivered"

    run(go())


def test_an_outcome_that_comes_after_its_lease_ended_is_left_to_whoever_has_it_now(house: House) -> None:
    async def go() -> None:
        webhook = await house.webhook()
        house.tell()
        slow, quick = house.deliverer("slow"), house.deliverer("quick")
        (leased,) = await slow.lease(10)
        house.clock.on(LEASE)
        (taken_over,) = await quick.lease(10)
        house.receiver.status = 500
        await slow.carry_out(leased)
        assert (await house.deliveries(webhook))[0].attempts == 0
        house.receiver.status = 200
        await quick.carry_out(taken_over)
        assert (await house.deliveries(webhook))[0].status == "delivered"

    run(go())


def test_two_workers_at_once_share_the_deliveries(house: House) -> None:
    async def go() -> None:
        await house.webhook()
        for number in range(40):
            house.tell(number=number)
        taken = await asyncio.gather(*(house.deliverer(f"worker-{n}").lease(15) for n in range(4)))
        ids = [leased[0].id for leases in taken for leased in leases]
        assert len(ids) == len(set(ids)) == 40

    run(go())


def test_webhooks_that_are_to_be_left_alone_keep_no_other_waiting(house: House) -> None:
    async def go() -> None:
        busy, other = await house.webhook("file.created"), await house.webhook("pin.failed")
        for _ in range(20):
            house.tell("file.created")
        house.tell("pin.failed")
        (leased,) = await house.deliverer().lease(5, webhooks.Passed(over=frozenset({busy.id})))
        assert leased[1].id == other.id

    run(go())


@pytest.mark.parametrize(
    ("status", "header", "waits"),
    [
        (503, "7200", timedelta(hours=2)),
        (429, "Sat, 31 Jan 2026 13:00:00 GMT", timedelta(hours=1)),
        (503, "99999999999999", timedelta(days=1)),
        (503, "soon", timedelta(seconds=5)),
        (503, "-5", timedelta(seconds=5)),
        (500, "7200", timedelta(seconds=5)),
    ],
)
def test_a_busy_receiver_may_say_when_within_reason(house: House, status: int, header: str, waits: timedelta) -> None:
    async def go() -> None:
        webhook = await house.webhook()
        house.receiver.status, house.receiver.headers = status, {"Retry-After": header}
        house.tell()
        await house.deliver(house.deliverer())
        (delivery,) = await house.deliveries(webhook)
        assert delivery.next_attempt_at is not None
        assert waits <= delivery.next_attempt_at - house.clock() <= waits * 1.1

    run(go())


def test_a_redirect_is_not_followed_and_is_no_delivery(house: House) -> None:
    async def redirect() -> Response:
        return RedirectResponse("https://elsewhere.example/", 307)

    async def go() -> None:
        await house.webhook()
        house.receiver.answer = redirect
        house.tell()
        (attempt,) = await house.deliver(house.deliverer())
        assert (attempt.status, attempt.error) == (307, "HTTP 307")
        assert house.receiver.paths == ["/hooks"]

    run(go())


def test_an_answer_that_never_ends_is_broken_off_at_the_time_limit(house: House) -> None:
    async def drip() -> Response:
        async def body() -> Any:
            while True:
                yield b""
                await asyncio.sleep(0.01)

        return StreamingResponse(body())

    async def go() -> None:
        await house.webhook()
        house.receiver.answer = drip
        house.tell()
        (attempt,) = await house.deliver(house.deliverer(timeout_s=0.2))
        assert (attempt.status, attempt.error) == (None, "no whole answer within 0.2 s")

    run(go())


def test_of_a_long_answer_only_the_beginning_is_kept(house: House) -> None:
    async def go() -> None:
        webhook = await house.webhook()
        house.receiver.status, house.receiver.body = 400, b"x" * 1_000_000
        house.tell()
        await house.deliver(house.deliverer())
        (delivery,) = await house.deliveries(webhook)
        assert delivery.error == "HTTP 400: " + "x" * 200

    run(go())


def test_a_private_address_is_refused_when_it_is_connected_to(house: House) -> None:
    async def go() -> None:
        allowing = WebhooksService(house.database, allow_private=True, clock=house.clock)
        webhook, _ = await allowing.create(house.caller, "http://127.0.0.1:9/hooks")
        house.tell()
        deliverer = Deliverer(house.database, owner="worker", clock=house.clock)
        (attempt,) = await house.deliver(deliverer)
        await deliverer.close()
        assert attempt.status is None
        (delivery,) = await house.deliveries(webhook)
        assert delivery.status == "queued"
        assert delivery.error == "127.0.0.1 is not an address of the public internet"

    run(go())


# -- webhooks that are given up ----------------------------------------------------------------------------------------


def test_gone_disables_the_webhook_at_once_and_says_so_in_the_audit_log(house: House) -> None:
    async def go() -> None:
        webhook = await house.webhook()
        house.tell()
        house.tell()
        house.receiver.status = 410
        deliverer = house.deliverer()
        (leased,) = await deliverer.lease(1)
        await deliverer.carry_out(leased)
        found = await house.service.get(house.caller, webhook.id)
        assert found.status == "disabled"
        assert found.disabled_because == "its address answered 410 Gone"
        assert await deliverer.lease(10) == []
        assert [one.status for one in await house.deliveries(webhook)] == ["failed", "failed"]
        house.tell()
        assert len(await house.deliveries(webhook)) == 2, "what happens while it is disabled is not sent later"
        audit = house.database.of(house.caller.organisation_id).read_now(
            lambda session: session.scalars(select(AuditRow).order_by(AuditRow.number.desc())).first()
        )
        assert audit is not None
        assert (audit.action, audit.target, audit.actor_kind) == ("webhook.disabled", webhook.id, "system")

    run(go())


def test_days_of_failures_disable_the_webhook_and_one_success_between_them_does_not(house: House) -> None:
    async def go() -> None:
        webhook, deliverer = await house.webhook(), house.deliverer(disable_after=timedelta(days=2))

        async def attempt(status: int) -> Webhook:
            house.tell()
            house.receiver.status = status
            await house.deliver(deliverer)
            return await house.service.get(house.caller, webhook.id)

        assert (await attempt(500)).failing_since == house.clock()
        house.clock.on(timedelta(days=1))
        assert (await attempt(200)).failing_since is None
        house.clock.on(timedelta(days=1, hours=1))
        assert (await attempt(500)).status == "active"
        house.clock.on(timedelta(days=2))
        found = await attempt(500)
        assert found.status == "disabled"
        assert found.disabled_because == "every delivery has failed for 2 days, lastly: HTTP 500"
        again = await house.service.update(house.caller, webhook.id, status="active")
        assert (again.status, again.disabled_because, again.failing_since) == ("active", None, None)
        assert (await attempt(200)).status == "active"

    run(go())


def test_deleting_a_webhook_forgets_what_is_on_its_way(house: House) -> None:
    async def go() -> None:
        webhook = await house.webhook()
        house.tell()
        deliverer = house.deliverer()
        (leased,) = await deliverer.lease(1)
        await house.service.delete(house.caller, webhook.id)
        assert (await deliverer.carry_out(leased)).error is None, "it was under way"
        assert number_of(house.database, WebhookDeliveryRow) == 0
        with pytest.raises(RecordNotFound):
            await house.service.get(house.caller, webhook.id)

    run(go())


# -- what its organisation can do --------------------------------------------------------------------------------------


def test_another_tenant_sees_and_changes_nothing(house: House) -> None:
    async def go() -> None:
        webhook = await house.webhook()
        house.tell()
        await house.deliver(house.deliverer())
        (delivery,) = await house.deliveries(webhook)
        other, service = caller_of(house.database, "two"), house.service
        assert await service.everyone(other) == []
        assert (await service.events(other)).total == 0
        for attempt in (
            service.get(other, webhook.id),
            service.update(other, webhook.id, description="mine"),
            service.delete(other, webhook.id),
            service.rotate(other, webhook.id),
            service.deliveries(other, webhook.id),
            service.delivery(other, webhook.id, delivery.id),
            service.resend(other, webhook.id, delivery.id),
            service.test(other, webhook.id),
        ):
            with pytest.raises(RecordNotFound):
                await attempt
        assert (await service.get(house.caller, webhook.id)).description == ""

    run(go())


def test_after_a_rotation_both_secrets_verify_for_a_day(house: House) -> None:
    async def go() -> None:
        webhook = await house.webhook()
        old = house.receiver.secret
        _, secret = await house.service.rotate(house.caller, webhook.id)
        assert secret_text(secret) != old
        for one in (old, secret_text(secret)):
            house.receiver.secret = one
            house.tell()
            assert [attempt.error for attempt in await house.deliver(house.deliverer())] == [None]
        house.clock.on(timedelta(hours=24))
        house.tell()
        assert [attempt.error for attempt in await house.deliver(house.deliverer())] == [None]
        house.receiver.secret = old
        house.tell()
        with pytest.raises(AssertionError):
            await house.deliver(house.deliverer())

    run(go())


def test_a_resent_event_has_the_same_id_and_a_line_of_its_own_in_the_log(house: House) -> None:
    async def go() -> None:
        woken: list[None] = []
        webhook = await house.webhook()
        house.tell()
        await house.deliver(house.deliverer())
        (first,) = await house.deliveries(webhook)
        service = WebhooksService(house.database, lambda: woken.append(None), clock=house.clock)
        again = await service.resend(house.caller, webhook.id, first.id)
        assert (again.status, again.event_id) == ("queued", first.event_id)
        assert again.id != first.id
        assert woken
        await house.deliver(house.deliverer())
        assert len({event_id for event_id, _ in house.receiver.got}) == 1
        assert [one.status for one in await house.deliveries(webhook)] == ["delivered", "delivered"]

    run(go())


def test_a_test_goes_to_one_webhook_whatever_it_wants_and_is_tried_once(house: House) -> None:
    async def go() -> None:
        webhook = await house.webhook("pin.failed")
        await house.service.create(house.caller, URL)
        house.receiver.status = 500
        queued = await house.service.test(house.caller, webhook.id)
        assert (queued.event_kind, queued.status) == ("webhook.test", "queued")
        await house.deliver(house.deliverer())
        assert [said["type"] for _, said in house.receiver.got] == ["webhook.test"]
        done = await house.service.delivery(house.caller, webhook.id, queued.id)
        assert (done.status, done.attempts, done.error) == ("failed", 1, "HTTP 500")

    run(go())


def test_a_disabled_webhook_takes_neither_test_nor_resend(house: House) -> None:
    async def go() -> None:
        webhook = await house.webhook()
        house.tell()
        await house.deliver(house.deliverer())
        (delivery,) = await house.deliveries(webhook)
        await house.service.update(house.caller, webhook.id, status="disabled")
        with pytest.raises(RecordConflict):
            await house.service.test(house.caller, webhook.id)
        with pytest.raises(RecordConflict):
            await house.service.resend(house.caller, webhook.id, delivery.id)

    run(go())


def test_lists_go_on_below_the_number_that_they_ended_at(house: House) -> None:
    async def go() -> None:
        webhook = await house.webhook()
        for number in range(5):
            house.tell("file.created" if number % 2 else "pin.failed", number=number)
        first = await house.service.deliveries(house.caller, webhook.id, limit=2)
        assert (first.total, first.total_is_exact) == (5, True)
        second = await house.service.deliveries(house.caller, webhook.id, limit=2, before=first.next_number)
        third = await house.service.deliveries(house.caller, webhook.id, limit=2, before=second.next_number)
        ids = [one.id for page in (first, second, third) for one in page.entries]
        assert len(set(ids)) == 5
        assert third.next_number is None
        events = await house.service.events(house.caller, kind="file.created")
        assert [one.data["number"] for one in events.entries] == [3, 1]
        assert events.total == 2
        failed = await house.service.deliveries(house.caller, webhook.id, status="failed")
        assert failed.total == 0

    run(go())


def test_an_organisation_has_twenty_webhooks_at_most(house: House) -> None:
    async def go() -> None:
        made = [await house.webhook() for _ in range(20)]
        with pytest.raises(QuotaExceeded):
            await house.webhook()
        await house.service.delete(house.caller, made[0].id)
        await house.webhook()

    run(go())


@pytest.mark.parametrize(
    ("url", "refusal"),
    [
        ("ftp://example.com/", InvalidInput),
        ("https://", InvalidInput),
        ("example.com/hooks", InvalidInput),
        ("https://user:pw@example.com/", InvalidInput),
        ("https://user@example.com/", InvalidInput),
        ("https://example.com/#part", InvalidInput),
        ("https://example.com/a b", InvalidInput),
        ("https://example.com/\r\nX: y", InvalidInput),
        ("https://exämple.com/", InvalidInput),
        ("https://example.com:99999/", InvalidInput),
        ("https://[::1", InvalidInput),
        ("https://example.com/" + "x" * 2048, InvalidInput),
        ("http://127.0.0.1/", AddressRefused),
        ("http://[::1]:3000/", AddressRefused),
        ("http://[::ffff:10.0.0.1]/", AddressRefused),
        ("http://169.254.169.254/latest/", AddressRefused),
        ("http://localhost:3000/", AddressRefused),
        ("http://LOCALHOST./", AddressRefused),
        ("http://ip6-localhost/", AddressRefused),
        ("http://localhost.localdomain/", AddressRefused),
        ("http://2130706433/", AddressRefused),
        ("http://0x7f.1/", AddressRefused),
        ("http://0177.0.0.1:8080/", InvalidInput),
        ("http://127.0.0.1./", AddressRefused),
        ("http://1.2.3.4.5/", AddressRefused),
        ("http://[::ffff:127.0.0.1]/", AddressRefused),
        ("http://[::ffff:7f00:1]/", AddressRefused),
        ("http://%31%32%37.0.0.1/", InvalidInput),
        ("http://127.0.0.1\\.example.com/", InvalidInput),
        ("http://example..com/", InvalidInput),
        ("http://.example.com/", InvalidInput),
        ("http://localhost../", InvalidInput),
        ("http://[fe80::1%25eth0]/", InvalidInput),
        ("http://db.internal/", AddressRefused),
    ],
)
def test_an_address_that_cannot_be_one_is_refused(
    house: House, url: str, refusal: type[InvalidInput] | type[AddressRefused]
) -> None:
    async def go() -> None:
        with pytest.raises(refusal) as refused:
            await house.service.create(house.caller, url)
        assert refusal is InvalidInput or "PINFOLD_ALLOW_PRIVATE_WEBHOOKS" in (refused.value.hint or "")
        webhook = await house.webhook()
        with pytest.raises(refusal):
            await house.service.update(house.caller, webhook.id, url=url)
        assert (await house.service.get(house.caller, webhook.id)).url == URL

    run(go())


@pytest.mark.parametrize(
    "url",
    ["https://xn--bcher-kva.example.com/x", "http://EXAMPLE.com:80/", "https://[2606:4700:4700::1111]/", "http://1.1/"],
)
def test_a_public_address_is_taken_as_it_is_spelled(house: House, url: str) -> None:
    async def go() -> None:
        webhook, _ = await house.service.create(house.caller, url)
        assert webhook.url == url

    run(go())


def test_a_kind_that_there_is_not_is_refused_by_its_name(house: House) -> None:
    async def go() -> None:
        with pytest.raises(InvalidInput, match=r"pin\.done"):
            await house.service.create(house.caller, URL, "", ["pin.failed", "pin.done"])

    run(go())


def test_old_events_go_with_their_deliveries_and_newer_ones_stay(house: House) -> None:
    async def go() -> None:
        webhook = await house.webhook()
        for _ in range(3):
            house.tell()
        house.clock.on(timedelta(days=29))
        house.tell()
        house.clock.on(timedelta(days=2))
        assert await prune_events(house.database, 30, house.clock) == 3
        assert number_of(house.database, WebhookEventRow) == 1
        assert len(await house.deliveries(webhook)) == 1
        assert await prune_events(house.database, 30, house.clock) == 0

    run(go())


def test_how_long_until_something_is_due_is_known(house: House) -> None:
    async def go() -> None:
        deliverer = house.deliverer()
        assert await deliverer.seconds_to_next() is None
        await house.webhook()
        house.tell()
        assert await deliverer.seconds_to_next() == 0
        house.receiver.status = 500
        await house.deliver(deliverer)
        waits = await deliverer.seconds_to_next()
        assert waits is not None
        assert 5 <= waits <= 5.5
        number, due = house.database.everybody.read_now(webhooks.backlog)
        assert number == 1
        assert due is None, "it waits for its receiver, not for us"

    run(go())


# -- signatures --------------------------------------------------------------------------------------------------------


def test_a_receiver_with_the_standards_own_library_accepts_the_message_and_no_other() -> None:
    secret, content = b"k" * 32, message.body("pin.pinned", datetime.now(UTC), {"cid": "bafy"})
    headers = message.headers("an-id", datetime.now(UTC), content, [b"x" * 32, secret])
    verifier = Verifier(secret_text(secret))
    assert verifier.verify(content, headers)["data"] == {"cid": "bafy"}
    for changed in (
        {**headers, "webhook-id": "another"},
        {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)},
    ):
        with pytest.raises(WebhookVerificationError):
            verifier.verify(content, changed)
    with pytest.raises(WebhookVerificationError):
        verifier.verify(content + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(secret_text(b"y" * 32)).verify(content, headers)


def test_a_secret_is_shown_in_the_form_of_the_standard() -> None:
    text = secret_text(bytes(range(32)))
    assert text.startswith("whsec_")
    assert base64.b64decode(text.removeprefix("whsec_")) == bytes(range(32))


def test_every_kind_says_what_it_means() -> None:
    assert all(kind.meaning.endswith(".") for kind in EventKind)


def test_what_the_program_tells_is_just_what_a_webhook_can_want() -> None:
    told: set[str] = set()
    for path in Path(pinfold.__file__).parent.rglob("*.py"):
        told |= set(re.findall(r'\.tell(?:_all)?\(\s*f?"([a-z_.{}]+)"', path.read_text(encoding="utf-8")))
    told = told - {"pin.{status}"} | {"pin.pinned", "pin.failed"}
    assert told == set(EventKind) - {EventKind.WEBHOOK_TEST}
