"""Many writes share one commit, and each stands or falls on its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from pinfold.core.errors import QuotaExceeded, RecordNotFound, StoreError
from pinfold.db import Database, changes
from pinfold.db.models import AuditRow, OrganisationRow, PinRow, TotalsRow
from tests.support.rows import ACTOR, NOW, add_pin, chain_breaks, count, names, pin_row, totals
from tests.support.tenants import make_organisation

PATIENCE_S = 30.0


class Held:
    """A write that holds its thread, so that what is asked meanwhile is carried out together afterwards."""

    def __init__(self, database: Database, organisation_id: str) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=database.of(organisation_id).write_now, args=(self._hold,))
        self._thread.start()
        assert self.begun.wait(PATIENCE_S)

    def _hold(self, session: Session) -> None:
        self.begun.set()
        assert self.go_on.wait(PATIENCE_S)

    def release(self) -> None:
        """Let everything go on."""
        self.go_on.set()
        self._thread.join(PATIENCE_S)


@pytest.fixture
def commits(database: Database) -> Iterator[list[None]]:
    """Grows with every commit of a writer."""
    seen: list[None] = []

    def saw(_connection: object) -> None:
        seen.append(None)

    event.listen(database.engine, "commit", saw)
    yield seen
    event.remove(database.engine, "commit", saw)


def together(database: Database, organisation_id: str, *queries: Any) -> list[Any]:
    """What became of writes that one transaction carried out: results and errors."""

    async def ask() -> list[Any]:
        held = Held(database, organisation_id)
        asked = [asyncio.ensure_future(database.of(organisation_id).write(query)) for query in queries]
        await asyncio.sleep(0)  # each has begun, and stands in the queue
        held.release()
        return await asyncio.gather(*asked, return_exceptions=True)

    outcomes: list[Any] = run(ask())
    return outcomes


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, PATIENCE_S))


def fail(session: Session) -> None:
    add_pin(session, "never")
    session.flush()
    raise ValueError("on purpose")


def break_a_constraint(session: Session) -> None:
    add_pin(session, "never")
    session.add(pin_row("x", status="no such status"))


def refuse_by_database(session: Session) -> None:
    add_pin(session, "never")
    session.scalar(select(PinRow.number).where(PinRow.number == text("no_such_column")))


def overdraw(session: Session) -> None:
    changes.begin(session, ACTOR, NOW).count(pins=-1_000_000)


def test_writes_that_wait_share_one_commit(database: Database, ours: str, commits: list[None]) -> None:
    numbers = together(database, ours, *[lambda session, n=n: add_pin(session, str(n)) for n in range(20)])
    assert numbers == list(range(1, 21))
    assert len(commits) == 2  # the one that held the thread, and all the others
    assert database.of(ours).read_now(names) == [str(n) for n in range(20)]


@pytest.mark.parametrize("bad", [fail, break_a_constraint, refuse_by_database, overdraw])
def test_a_write_that_fails_harms_no_other(bad: Any, database: Database, ours: str) -> None:
    first, failed, last = together(database, ours, add_pin, bad, add_pin)
    assert isinstance(failed, Exception)
    assert (first, last) == (1, 2)
    of_ours = database.of(ours)
    assert of_ours.read_now(names) == ["a", "a"]
    assert of_ours.read_now(totals).pins == 2
    assert of_ours.read_now(chain_breaks) == []
    assert of_ours.read_now(count, AuditRow) == 2


def test_several_that_fail_in_different_ways_fail_alone(database: Database, ours: str) -> None:
    queries = [add_pin, break_a_constraint, fail, add_pin, overdraw, break_a_constraint, break_a_constraint, add_pin]
    outcomes = together(database, ours, *queries, break_a_constraint)
    assert [one for one in outcomes if isinstance(one, int)] == [1, 2, 3]
    kinds = [type(one) for one in outcomes if isinstance(one, Exception)]
    assert kinds == [IntegrityError, ValueError, IntegrityError, IntegrityError, IntegrityError, IntegrityError]
    assert database.of(ours).read_now(chain_breaks) == []
    assert database.of(ours).read_now(totals).pins == 3


def test_a_quota_is_not_overshot_by_writes_of_one_transaction(database: Database, ours: str) -> None:
    def limit(session: Session) -> None:
        session.execute(update(OrganisationRow).where(OrganisationRow.id == ours).values(quota_pins=3))

    def pin(session: Session) -> None:
        changes.begin(session, ACTOR, NOW).require_room(pins=1)
        add_pin(session)

    database.everybody.write_now(limit)
    outcomes = together(database, ours, *[pin] * 10)
    assert sum(isinstance(one, QuotaExceeded) for one in outcomes) == 7
    assert database.of(ours).read_now(totals).pins == 3


def test_times_of_creation_are_never_given_twice(database: Database, ours: str) -> None:
    together(database, ours, *[add_pin] * 10)
    times = database.of(ours).read_now(lambda session: list(session.scalars(select(PinRow.created_at))))
    assert sorted(times) == [NOW + timedelta(microseconds=n) for n in range(10)]


def test_a_query_for_totals_sees_what_changes_before_it_did(database: Database, ours: str) -> None:
    def look(session: Session) -> tuple[int, int, int]:
        add_pin(session)
        row = totals(session)
        return row.pins, row.audit_number, count(session, AuditRow)

    assert together(database, ours, add_pin, look, add_pin, look) == [1, (2, 2, 2), 3, (4, 4, 4)]


def test_what_looked_at_totals_and_failed_takes_only_its_own_back(database: Database, ours: str) -> None:
    def look_and_fail(session: Session) -> None:
        add_pin(session)
        assert totals(session).pins == 2
        raise ValueError

    first, failed, last = together(database, ours, add_pin, look_and_fail, add_pin)
    assert (first, type(failed), last) == (1, ValueError, 2)
    assert database.of(ours).read_now(totals).pins == 2
    assert database.of(ours).read_now(count, AuditRow) == 2
    assert database.of(ours).read_now(chain_breaks) == []


def test_a_query_that_sets_totals_itself_is_not_overwritten(database: Database, ours: str) -> None:
    def recount(session: Session) -> None:
        session.execute(update(TotalsRow).values(pins=40))

    together(database, ours, add_pin, recount, add_pin)
    assert database.of(ours).read_now(totals).pins == 41


def test_a_failed_commit_is_told_to_all(database: Database, ours: str) -> None:
    def refuse(_connection: object) -> None:
        raise StoreError("no commit today")

    def close_the_way(session: Session) -> int:
        event.listen(database.engine, "commit", refuse)
        return add_pin(session)

    try:
        outcomes = together(database, ours, add_pin, close_the_way)
    finally:
        event.remove(database.engine, "commit", refuse)
    assert [type(one) for one in outcomes] == [StoreError, StoreError]
    assert database.of(ours).read_now(names) == []
    assert database.of(ours).write_now(add_pin) == 1


def test_a_caller_that_goes_away_does_not_stop_its_write(database: Database, ours: str) -> None:
    async def work() -> None:
        held = Held(database, ours)
        asked = asyncio.ensure_future(database.of(ours).write(add_pin))
        await asyncio.sleep(0)
        asked.cancel()
        held.release()
        assert await database.of(ours).write(add_pin) == 2
        with pytest.raises(asyncio.CancelledError):
            await asked

    run(work())


def test_closing_finishes_what_was_asked_and_refuses_what_comes_later(database: Database, ours: str) -> None:
    async def work() -> list[int]:
        held = Held(database, ours)
        asked = [asyncio.ensure_future(database.of(ours).write(add_pin)) for _ in range(200)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(database.close))
        held.release()
        numbers = await asyncio.gather(*asked)
        await closing
        for ask in (database.of(ours).write, database.of(ours).read):
            with pytest.raises(StoreError, match="closed"):
                await ask(add_pin)
        database.close()
        return numbers

    assert sorted(run(work())) == list(range(1, 201))


def test_a_change_of_an_organisation_that_is_gone_is_refused(database: Database) -> None:
    with pytest.raises(RecordNotFound):
        database.of("0193a2c4-7d1e-7c55-9d0a-000000000000").write_now(add_pin)


def test_a_change_needs_a_session_that_writes(database: Database, ours: str) -> None:
    with pytest.raises(RuntimeError, match="writes"):
        database.of(ours).read_now(add_pin)


def test_counters_never_go_below_nothing(database: Database, ours: str) -> None:
    with pytest.raises(IntegrityError):
        database.of(ours).write_now(overdraw)


@pytest.mark.parametrize("tenants", [1, 8])
def test_changes_of_many_callers_keep_one_chain_a_tenant(tenants: int, database: Database) -> None:
    organisations = [database.everybody.write_now(make_organisation, f"tenant-{n}") for n in range(tenants)]

    async def work() -> None:
        asked = [database.of(organisations[n % tenants]).write(add_pin, str(n)) for n in range(240)]
        await asyncio.gather(*asked, *[database.of(organisations[0]).read(names) for _ in range(40)])

    run(work())
    for organisation in organisations:
        assert database.of(organisation).read_now(totals).pins == 240 // tenants
        assert database.of(organisation).read_now(chain_breaks) == []


@pytest.mark.postgres
def test_writes_that_lock_each_other_out_are_tried_again(postgres_template: str, postgres_engine: Any) -> None:
    url = postgres_engine.create_database(template=postgres_template)
    first, second = Database(url), Database(url)
    ids = [first.everybody.write_now(make_organisation, slug) for slug in ("one", "two")]
    both_hold_one = threading.Barrier(2)
    met: list[None] = []

    def lock_both(session: Session, order: list[str]) -> None:
        changes.begin_for(session, order[0], ACTOR, NOW).count(pins=1)
        session.execute(update(TotalsRow).where(TotalsRow.organisation_id == order[0]).values(files=1))
        if len(met) < 2:  # the first time only; again, nobody is there to meet
            met.append(None)
            both_hold_one.wait(PATIENCE_S)
        changes.begin_for(session, order[1], ACTOR, NOW).count(pins=1)

    threads = [
        threading.Thread(target=database.everybody.write_now, args=(lock_both, order))
        for database, order in ((first, ids), (second, ids[::-1]))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    counted = [first.of(one).read_now(totals).pins for one in ids]
    first.close()
    second.close()
    postgres_engine.drop_database(url)
    assert counted == [2, 2]


@pytest.mark.postgres
def test_a_server_that_was_away_is_used_again(postgres_template: str, postgres_engine: Any) -> None:
    url = postgres_engine.create_database(template=postgres_template)
    database = Database(url)
    ours = database.everybody.write_now(make_organisation, "ours")

    async def read() -> list[str]:
        return await database.of(ours).read(names)

    async def write() -> int:
        return await database.of(ours).write(add_pin)

    assert asyncio.run(read()) == []
    assert asyncio.run(write()) == 1
    _cut_off(postgres_engine, url)
    assert asyncio.run(read()) == ["a"]
    _cut_off(postgres_engine, url)
    assert asyncio.run(write()) == 2
    database.close()
    postgres_engine.drop_database(url)


@pytest.mark.postgres
def test_a_write_whose_connection_breaks_before_its_commit_is_carried_out_once(
    postgres_template: str, postgres_engine: Any
) -> None:
    url = postgres_engine.create_database(template=postgres_template)
    database = Database(url)
    ours = database.everybody.write_now(make_organisation, "ours")
    tries: list[None] = []

    def break_once(session: Session) -> int:
        number = add_pin(session)
        tries.append(None)
        if len(tries) == 1:
            _cut_off(postgres_engine, url)
        session.flush()
        return number

    assert database.of(ours).write_now(break_once) == 1
    assert database.of(ours).read_now(names) == ["a"]
    database.close()
    postgres_engine.drop_database(url)
    assert len(tries) == 2


def _cut_off(server: Any, url: str) -> None:
    other = Database(url)
    ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
    with other.engine.connect() as connection:
        connection.exec_driver_sql(ending + "pg_backend_pid()")
    try:
        other.close()
    except DBAPIError:  # its own other connections were cut off as well
        pass
