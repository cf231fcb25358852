from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from pinfold.db import Database, usage
from pinfold.db.models import OrganisationRow, PinRow, RootTrafficRow, TotalsRow, UsageDayRow
from pinfold.services.usage import Flusher, GatewayMeter, RequestMeter
from pinfold.services.usage import meter as meters
from pinfold.services.usage.upkeep import prune_traffic
from tests.support.tenants import make_organisation

T = TypeVar("T")

DAY = date(2026, 1, 31)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def tenant(database: Database, slug: str, *roots: str, status: str = "pinned") -> str:
    """An organisation that keeps these roots."""

    def make(session: Session) -> str:
        organisation_id = make_organisation(session, slug)
        for number, root in enumerate(roots):
            at = NOON + timedelta(microseconds=number)
            row = PinRow(cid=root, root=root, name="", status=status, created_at=at, updated_at=at)
            row.organisation_id = organisation_id
            session.add(row)
        return organisation_id

    return database.everybody.write_now(make)


def days(database: Database, organisation_id: str) -> dict[date, UsageDayRow]:
    found = database.of(organisation_id).read_now(usage.days, date.min, date.max)
    return {row.day: row for row in found}


def traffic(database: Database) -> dict[str, tuple[int, int]]:
    rows = database.everybody.read_now(lambda session: session.scalars(select(RootTrafficRow)).all())
    return {row.root: (row.requests, row.egress_bytes) for row in rows}


def test_requests_are_added_to_the_day_of_their_organisation(database: Database) -> None:
    one, two = tenant(database, "one"), tenant(database, "two")

    async def go() -> None:
        meter = RequestMeter(database, lambda: NOON)
        for organisation_id in (one, one, two):
            meter.count(organisation_id)
        await meter.flush()
        meter.count(one)
        await meter.flush()
        await meter.flush()

    run(go())
    assert days(database, one)[DAY].requests == 3
    assert days(database, two)[DAY].requests == 1


def test_what_was_counted_before_midnight_belongs_to_that_day(database: Database) -> None:
    one = tenant(database, "one", "root")

    async def go() -> None:
        now = NOON
        requests, gateway = RequestMeter(database, lambda: now), GatewayMeter(database, lambda: now)
        requests.count(one)
        gateway.count("root", 10, 1)
        now = NOON + timedelta(days=1)
        requests.count(one)
        gateway.count("root", 5)
        await requests.flush()
        await gateway.flush()

    run(go())
    found = days(database, one)
    assert [(row.requests, row.gateway_requests, row.gateway_egress_bytes) for row in found.values()] == [
        (1, 1, 10),
        (1, 0, 5),
    ]


def test_everyone_who_keeps_a_root_is_credited_and_nobody_else(database: Database) -> None:
    one, two = tenant(database, "one", "shared", "own"), tenant(database, "two", "shared")
    waiting = tenant(database, "three", "shared", status="queued")

    async def go() -> None:
        meter = GatewayMeter(database, lambda: NOON)
        meter.count("shared", 0, 1)
        meter.count("shared", 100)
        meter.count("own", 7, 1)
        meter.count("nobody's", 1000, 1)
        await meter.flush()
        meter.count("shared", 1, 1)
        await meter.flush()

    run(go())
    assert traffic(database) == {"shared": (2, 101), "own": (1, 7)}
    row = days(database, one)[DAY]
    assert (row.gateway_requests, row.gateway_egress_bytes) == (3, 108)
    row = days(database, two)[DAY]
    assert (row.gateway_requests, row.gateway_egress_bytes) == (2, 101)
    assert days(database, waiting) == {}


def test_an_organisation_that_is_gone_takes_no_others_counts_with_it(database: Database) -> None:
    gone, there = tenant(database, "gone"), tenant(database, "there")

    def remove(session: Session) -> None:
        session.execute(delete(TotalsRow).where(TotalsRow.organisation_id == gone))
        session.execute(delete(OrganisationRow).where(OrganisationRow.id == gone))

    async def go() -> None:
        meter = RequestMeter(database, lambda: NOON)
        meter.count(gone)
        meter.count(there)
        await database.everybody.write(remove)
        await meter.flush()

    run(go())
    assert days(database, there)[DAY].requests == 1


def test_counts_that_cannot_be_written_are_kept_and_written_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = tenant(database, "one", "root")

    def fail(*_: object) -> None:
        raise SQLAlchemyError("the database is away")

    async def go() -> None:
        requests, gateway = RequestMeter(database, lambda: NOON), GatewayMeter(database, lambda: NOON)
        requests.count(one)
        gateway.count("root", 10, 1)
        with monkeypatch.context() as patch:
            patch.setattr(usage, "add", fail)
            for meter in (requests, gateway):
                with pytest.raises(SQLAlchemyError):
                    await meter.flush()
        requests.count(one)
        gateway.count("root", 1)
        for meter in (requests, gateway):
            await meter.flush()

    run(go())
    row = days(database, one)[DAY]
    assert (row.requests, row.gateway_requests, row.gateway_egress_bytes) == (2, 1, 11)
    assert traffic(database) == {"root": (1, 11)}


def test_a_meter_has_bounds_while_nothing_can_be_written(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meters, "MOST_KEPT", 3)
    meter = GatewayMeter(database, lambda: NOON)
    for number in range(10):
        meter.count(f"root-{number}", 1, 1)
    meter.count("root-0", 5)
    assert meter._bytes == {(DAY, "root-0"): 6, (DAY, "root-1"): 1, (DAY, "root-2"): 1}


def test_the_flusher_hands_on_by_itself_and_once_more_at_the_end(database: Database) -> None:
    one = tenant(database, "one")

    async def go() -> None:
        meter = RequestMeter(database, lambda: NOON)
        flusher = Flusher((meter,), every_s=0.01)
        running = asyncio.create_task(flusher.run())
        meter.count(one)
        async with asyncio.timeout(10):
            while DAY not in await asyncio.to_thread(days, database, one):
                await asyncio.sleep(0.01)
        meter.count(one)
        flusher.stop()
        await running

    run(go())
    assert days(database, one)[DAY].requests == 2


def test_uploads_are_counted_in_the_transaction_that_records_them(database: Database) -> None:
    one = tenant(database, "one")

    def fail(session: Session) -> None:
        usage.add_upload(session, one, DAY, 5)
        raise RuntimeError("not recorded after all")

    with pytest.raises(RuntimeError):
        database.of(one).write_now(fail)
    database.of(one).write_now(usage.add_upload, one, DAY, 5)
    database.of(one).write_now(usage.add_upload, one, DAY, 10, 2)
    row = days(database, one)[DAY]
    assert (row.uploads, row.uploaded_bytes) == (3, 15)


def test_old_traffic_is_forgotten_and_days_are_kept(database: Database) -> None:
    one = tenant(database, "one", "root")
    database.everybody.write_now(usage.add_traffic, DAY, {"root": (1, 1)})
    run(prune_traffic(database, lambda: NOON + timedelta(days=90)))
    assert traffic(database) == {"root": (1, 1)}
    run(prune_traffic(database, lambda: NOON + timedelta(days=91)))
    assert traffic(database) == {}
    assert days(database, one)[DAY].gateway_requests == 1


# -- the requests of a day ---------------------------------------------------------------------------------------------


def test_todays_requests_are_what_was_written_down_and_what_came_since(database: Database) -> None:
    one = tenant(database, "one")

    async def go() -> None:
        meter = RequestMeter(database, lambda: NOON)
        assert await meter.today(one) == 0
        for number in range(1, 8):
            meter.count(one)
            assert await meter.today(one) == number
            if number % 3 == 0:
                await meter.flush()
        await meter.flush()
        again = RequestMeter(database, lambda: NOON)  # after a restart
        again.count(one)
        assert await again.today(one) == 8
        assert await RequestMeter(database, lambda: NOON + timedelta(days=1)).today(one) == 0

    run(go())


def test_todays_requests_are_neither_missed_nor_doubled_while_they_are_written_down(database: Database) -> None:
    one = tenant(database, "one")

    async def go() -> None:
        for _ in range(20):
            meter, before = RequestMeter(database, lambda: NOON), days(database, one)
            written = before[DAY].requests if before else 0
            for _ in range(5):
                meter.count(one)
            flush = asyncio.create_task(meter.flush())
            seen = [await meter.today(one) for _ in range(3)]
            await flush
            assert seen == [written + 5] * 3

    run(go())


def test_what_another_process_wrote_down_is_seen_after_a_while(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = tenant(database, "one")

    async def go() -> None:
        mine, other = RequestMeter(database, lambda: NOON), RequestMeter(database, lambda: NOON)
        assert await mine.today(one) == 0
        other.count(one)
        await other.flush()
        assert await mine.today(one) == 0  # known a moment ago, and not looked up again
        monkeypatch.setattr(meters, "FRESH_S", -1.0)
        assert await mine.today(one) == 1

    run(go())


def test_a_database_that_cannot_be_asked_counts_in_favour_of_who_is_counted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = tenant(database, "one")

    def fail(*_: object) -> int:
        raise SQLAlchemyError("the database is away")

    async def go() -> None:
        before = RequestMeter(database, lambda: NOON)
        before.count(one)
        await before.flush()
        meter = RequestMeter(database, lambda: NOON)
        meter.count(one)
        with monkeypatch.context() as patch:
            patch.setattr(usage, "requests_on", fail)
            assert await meter.today(one) == 1
        assert await meter.today(one) == 2  # it is back

    run(go())


def test_many_requests_of_one_organisation_ask_the_database_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, asked, look = tenant(database, "one"), [], usage.requests_on

    def count(*args: Any) -> int:
        asked.append(args)
        return look(*args)

    async def go() -> None:
        monkeypatch.setattr(usage, "requests_on", count)
        meter = RequestMeter(database, lambda: NOON)
        await asyncio.gather(*(meter.today(one) for _ in range(100)))

    run(go())
    assert len(asked) == 1
