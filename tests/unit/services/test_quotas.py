from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from pinfold.core.errors import QuotaExceeded, RecordNotFound
from pinfold.db import Database, changes, reservations
from pinfold.db.changes import SYSTEM
from pinfold.db.models import OrganisationRow, TotalsRow, WebhookEventRow, WebhookRow
from pinfold.services.accounts import Caller
from pinfold.services.limits import LimitsService, Room
from pinfold.services.limits.quotas import LIFETIME
from tests.support.tenants import make_organisation

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def tenant(database: Database) -> str:
    def make(session: Session) -> str:
        organisation_id = make_organisation(session, "small")
        session.execute(update(OrganisationRow).values(quota_bytes=1000, quota_files=10, quota_pins=3))
        return organisation_id

    return database.everybody.write_now(make)


def caller(tenant: str) -> Caller:
    return Caller("t", "tests", tenant, frozenset())


def totals(database: Database, tenant: str) -> TotalsRow:
    return database.of(tenant).read_now(lambda session: session.scalars(select(TotalsRow)).one())


async def reserve(limits: LimitsService, tenant: str, size: int) -> bool:
    try:
        await limits.reserve(caller(tenant), size)
    except QuotaExceeded:
        return False
    return True


def test_a_hundred_callers_at_once_never_overshoot(database: Database, tenant: str) -> None:
    async def work() -> int:
        limits = LimitsService(database, lambda: NOW)
        taken = await asyncio.gather(*(reserve(limits, tenant, 150) for _ in range(100)))
        await limits.close()
        return sum(taken)

    assert asyncio.run(work()) == 6
    assert totals(database, tenant).reserved_bytes == 900


def test_two_processes_share_one_quota(database: Database, tenant: str) -> None:
    async def work() -> int:
        both = [LimitsService(database, lambda: NOW) for _ in range(2)]
        taken = await asyncio.gather(*(reserve(both[number % 2], tenant, 1) for number in range(30)))
        for limits in both:
            await limits.close()
        return sum(taken)

    assert asyncio.run(work()) == 10  # files


def test_what_fails_gives_its_room_back(database: Database, tenant: str) -> None:
    async def work() -> None:
        limits = LimitsService(database, lambda: NOW)
        with pytest.raises(ValueError):
            async with await limits.reserve(caller(tenant), 900):
                assert await limits.room(tenant) == Room(100, 9, 3)
                raise ValueError
        assert await limits.room(tenant) == Room(1000, 10, 3)
        await limits.close()

    asyncio.run(work())


def test_settling_turns_reserved_into_used_in_one_step(database: Database, tenant: str) -> None:
    def record(session: Session, reservation_id: str | None) -> None:
        change = changes.begin(session, SYSTEM, NOW)
        reservations.settle(session, change, reservation_id)
        change.require_room(files=1, logical_bytes=700)
        change.count(files=1, logical_bytes=700)

    async def work() -> None:
        limits = LimitsService(database, lambda: NOW)
        async with await limits.reserve(caller(tenant), 1000) as reservation:
            await database.of(tenant).write(record, reservation.id)
            reservation.settled()
        assert await limits.room(tenant) == Room(300, 9, 3)
        await limits.close()

    asyncio.run(work())


def test_a_stream_of_unknown_length_grows_up_to_the_quota_and_no_further(database: Database, tenant: str) -> None:
    async def work() -> int:
        limits = LimitsService(database, lambda: NOW)
        got = 0
        async with await limits.reserve(caller(tenant), 0) as reservation:
            with pytest.raises(QuotaExceeded, match="quota"):
                while True:
                    await reservation.grow(30)
                    got += 30
        await limits.close()
        return got

    assert asyncio.run(work()) == 990
    assert totals(database, tenant).reserved_bytes == 0


def test_what_a_dead_process_held_is_given_back_and_what_lives_is_not(database: Database, tenant: str) -> None:
    async def work() -> None:
        limits = LimitsService(database, lambda: NOW)
        await limits.reserve(caller(tenant), 300)
        lives = await limits.reserve(caller(tenant), 200)
        await database.everybody.write(reservations.extend, [lives.id or ""], NOW + 3 * LIFETIME)
        assert await limits.release_expired(NOW + LIFETIME - timedelta(seconds=1)) == 0
        assert await limits.release_expired(NOW + LIFETIME) == 1
        assert await limits.room(tenant) == Room(800, 9, 3)
        with pytest.raises(QuotaExceeded):
            await lives.grow(801)
        await limits.release_expired(NOW + 3 * LIFETIME)
        with pytest.raises(RecordNotFound, match="too long"):
            await lives.grow(1)
        await lives.release()
        assert await limits.room(tenant) == Room(1000, 10, 3)
        await limits.close()

    asyncio.run(work())


def test_a_reservation_until_a_time_outlives_its_process(database: Database, tenant: str) -> None:
    async def work() -> None:
        first = LimitsService(database, lambda: NOW)
        made = await first.reserve(caller(tenant), 300, until=NOW + timedelta(days=1))
        await first.close()
        second = LimitsService(database, lambda: NOW)
        assert await second.release_expired(NOW + 2 * LIFETIME) == 0
        await second.release_id(tenant, made.id)
        await second.release_id(tenant, made.id)
        assert await second.room(tenant) == Room(1000, 10, 3)

    asyncio.run(work())


def test_an_organisation_without_quotas_reserves_nothing(database: Database) -> None:
    async def work() -> None:
        limits = LimitsService(database, lambda: NOW)
        tenant = await database.everybody.write(make_organisation, "free")
        async with await limits.reserve(caller(tenant), 1 << 60) as reservation:
            await reservation.grow(1 << 60)
            assert reservation.id is None

    asyncio.run(work())


def test_coming_close_to_a_quota_is_told_once_for_each_step(database: Database, tenant: str) -> None:
    def listen(session: Session) -> None:
        session.add(WebhookRow(url="https://x", secret=b"k", created_at=NOW, updated_at=NOW))
        session.scalars(select(TotalsRow)).one().webhooks = 1

    def add(session: Session, size: int) -> None:
        changes.begin(session, SYSTEM, NOW).count(logical_bytes=size)

    def events(session: Session) -> list[tuple[str, int]]:
        rows = session.scalars(select(WebhookEventRow).order_by(WebhookEventRow.number))
        return [(row.payload["quota"], row.payload["percent"]) for row in rows]

    bound = database.of(tenant)
    bound.write_now(listen)
    for size in (799, 1, 50, 100, 10, -500):
        bound.write_now(add, size)
    assert bound.read_now(events) == [("bytes", 80), ("bytes", 95)]


def test_a_form_of_many_files_takes_room_in_steps_up_to_the_quota(
    database: Database, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    grow = reservations.grow

    def counted(session: Session, reservation_id: str, more_bytes: int, more_files: int, now: datetime) -> None:
        steps.append(more_files)
        grow(session, reservation_id, more_bytes, more_files, now)

    monkeypatch.setattr(reservations, "grow", counted)

    async def work() -> int:
        limits = LimitsService(database, lambda: NOW)
        files = 1
        async with await limits.reserve(caller(tenant), 0) as reservation:
            with pytest.raises(QuotaExceeded, match="quota"):
                while True:
                    await reservation.grow(0, more_files=1)
                    files += 1
        await limits.close()
        return files

    assert asyncio.run(work()) == 10
    assert len(steps) < 7  # of which the last one was refused
    assert totals(database, tenant).reserved_files == 0
