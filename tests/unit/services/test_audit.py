from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from pinfold.core.errors import Forbidden
from pinfold.db import Database, audit, changes
from pinfold.db.audit import Filter
from pinfold.db.changes import Actor
from pinfold.db.models import AuditRow
from pinfold.db.paging import Wanted
from pinfold.services.accounts import Caller, Scope
from pinfold.services.audit import AuditFinding, AuditService
from tests.support.tenants import make_organisation

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ADA = Actor("user", "ada", "ada@example.org", "192.0.2.1", "r1")


def write(session: Session, action: str, target: str) -> None:
    changes.begin(session, ADA, NOW).audit(action, target, name='ä\n"x"', size=3)


@pytest.fixture
def tenant(database: Database) -> str:
    return _with_five_rows(database)


def _with_five_rows(database: Database) -> str:
    organisation_id = database.everybody.write_now(make_organisation, "a")
    for number in range(5):
        database.of(organisation_id).write_now(write, "file.created", str(number))
    return organisation_id


def tamper(database: Database, *statements: str) -> None:
    """Do what only somebody with the database's password can: switch the trigger off and write."""

    def work(session: Session) -> None:
        connection = session.connection()
        if connection.dialect.name == "sqlite":
            for verb in ("update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS audit_log_refuses_{verb}")
        else:
            connection.exec_driver_sql("DROP TRIGGER IF EXISTS audit_log_only_grows ON audit_log")
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount >= 1

    with database.engine.begin() as connection:
        work(Session(connection))


def verify(database: Database, tenant: str) -> AuditFinding:
    return asyncio.run(AuditService(database).verify(tenant))


def test_an_untouched_log_is_whole(database: Database, tenant: str) -> None:
    assert verify(database, tenant) == AuditFinding(5, None, "")


def test_a_log_longer_than_one_read_is_whole(database: Database, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinfold.services.audit.service._AT_ONCE", 2)
    assert verify(database, tenant) == AuditFinding(5, None, "")
    tamper(database, "UPDATE audit_log SET target = 'x' WHERE number = 5")
    assert verify(database, tenant).broken_at == 5


@pytest.mark.parametrize(
    ("statement", "broken_at", "reason"),
    [
        ("UPDATE audit_log SET actor_name = 'eve' WHERE number = 3", 3, "something else"),
        ("UPDATE audit_log SET detail = '{}' WHERE number = 1", 1, "something else"),
        ("UPDATE audit_log SET at = '2026-01-31 12:00:01' WHERE number = 2", 2, "something else"),
        ("DELETE FROM audit_log WHERE number = 1", 1, "missing"),
        ("DELETE FROM audit_log WHERE number = 3", 3, "missing"),
        ("DELETE FROM audit_log WHERE number = 5", 5, "ends at row 4"),
        ("DELETE FROM audit_log", 1, "ends at row 0"),
        ("UPDATE audit_log SET number = 6 WHERE number = 5", 5, "missing"),
        ("INSERT", 6, "behind the end"),
    ],
)
def test_the_first_row_that_somebody_touched_is_found(
    database: Database, tenant: str, statement: str, broken_at: int, reason: str
) -> None:
    if statement == "INSERT":
        names = [column.name for column in AuditRow.__table__.columns if column.name != "number"]
        statement = (
            f"INSERT INTO audit_log ({', '.join(names)}, number) SELECT {', '.join(names)}, 6 "
            "FROM audit_log WHERE number = 5"
        )
    tamper(database, statement)
    found = verify(database, tenant)
    assert found.broken_at == broken_at
    assert reason in found.reason


def _replacing(number: int) -> str:
    """A row of the log put in the place of itself, in eve's name."""
    names = [column.name for column in AuditRow.__table__.columns]
    values = ["'eve'" if name == "actor_name" else name for name in names]
    return (
        f"INSERT OR REPLACE INTO audit_log ({', '.join(names)}) SELECT {', '.join(values)} "
        f"FROM audit_log WHERE number = {number}"
    )


def test_a_row_is_not_replaced_over_a_connection_of_ours(database: Database, tenant: str) -> None:
    statements = [_replacing(3), "UPDATE OR REPLACE audit_log SET number = 2 WHERE number = 3"]
    if database.engine.dialect.name == "postgresql":  # whose own way of replacing it is
        row = _replacing(3).replace(" OR REPLACE", "")
        statements = [f"{row} ON CONFLICT (organisation_id, number) DO UPDATE SET actor_name = 'eve'"]
    for statement in statements:
        with pytest.raises(DatabaseError, match="only grows"), database.engine.begin() as connection:
            connection.exec_driver_sql(statement)
    assert verify(database, tenant) == AuditFinding(5, None, "")


def test_a_row_that_a_stranger_to_our_connections_replaced_is_found(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'platform.sqlite3'}")
    tenant = _with_five_rows(database)
    with closing(sqlite3.connect(tmp_path / "platform.sqlite3")) as stranger, stranger:
        assert stranger.execute(_replacing(3)).rowcount == 1  # delete triggers fire for it only where a pragma says so
    found = verify(database, tenant)
    database.close()
    assert found.broken_at == 3
    assert "something else" in found.reason


def test_a_row_put_in_with_a_hash_of_its_own_breaks_the_chain_behind_it(database: Database, tenant: str) -> None:
    def forge(session: Session) -> bytes:
        row = audit.after(session, tenant, 2, 1)[0]
        row.actor_name = "eve"
        return changes.audit_hash(row)

    forged = database.everybody.read_now(lambda session: _without_writing(session, forge))
    literal = f"X'{forged.hex()}'" if database.engine.dialect.name == "sqlite" else f"'\\x{forged.hex()}'::bytea"
    tamper(database, f"UPDATE audit_log SET actor_name = 'eve', hash = {literal} WHERE number = 3")
    found = verify(database, tenant)
    assert (found.broken_at, found.rows) == (4, 3)


def _without_writing(session: Session, query: Callable[[Session], bytes]) -> bytes:
    with session.no_autoflush:
        result = query(session)
    session.expunge_all()
    return result


def test_one_organisation_s_damage_is_not_another_s(database: Database, tenant: str) -> None:
    other = database.everybody.write_now(make_organisation, "b")
    database.of(other).write_now(write, "file.created", "x")
    tamper(database, f"UPDATE audit_log SET target = 'x' WHERE number = 1 AND organisation_id = '{tenant}'")
    assert verify(database, other) == AuditFinding(1, None, "")
    assert verify(database, tenant).broken_at == 1


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET target = 'x'", "DELETE FROM audit_log"])
def test_the_database_itself_refuses_to_change_the_log(database: Database, tenant: str, statement: str) -> None:
    with pytest.raises(DatabaseError, match="only grows"):
        with database.engine.begin() as connection:
            connection.execute(text(statement))
    assert verify(database, tenant).rows == 5


def test_the_list_is_filtered_and_paged_newest_first(database: Database, tenant: str) -> None:
    database.of(tenant).write_now(write, "token.created", "t")
    service, reader = AuditService(database), Caller("t", "t", tenant, frozenset({Scope.AUDIT_READ}))

    async def work() -> None:
        newest = await service.page(reader, Wanted(2), Filter())
        assert [one.number for one in newest.records] == [6, 5]
        assert (newest.total, newest.has_more) == (6, True)
        older = await service.page(reader, Wanted(10, after=5), Filter())
        assert [one.number for one in older.records] == [4, 3, 2, 1]
        assert not older.has_more
        files = await service.page(reader, Wanted(10), Filter(action="file", target="3"))
        assert [(one.number, one.actor_name, one.address, one.detail["size"]) for one in files.records] == [
            (4, "ada@example.org", "192.0.2.1", 3)
        ]
        assert (await service.page(reader, Wanted(10), Filter(since=NOW))).total == 6
        assert (await service.page(reader, Wanted(10), Filter(before=NOW, actor_id="ada"))).total == 0
        with pytest.raises(Forbidden):
            await service.page(Caller("t", "t", tenant, frozenset()), Wanted(1), Filter())

    asyncio.run(work())
