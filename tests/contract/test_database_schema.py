"""Migrations make what the models say, from nothing and from the version before, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, select, text
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from pinfold.core.errors import DatabaseOutdated, StoreNewer
from pinfold.db import Database, dialect, pins, tokens, upgrade
from pinfold.db.models import Base, FileRow, OrganisationRow, PinRow, TokenRow, TotalsRow
from pinfold.db.search import NameSearch
from tests.support.rows import NOW, add_pin, pin_row

EARLIER = datetime(2025, 12, 24, 18, 30, 0, 5, tzinfo=UTC)


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[str]:
    """A database without any table."""
    if not database_url:
        yield f"sqlite:///{tmp_path / 'platform.sqlite3'}"
        return
    server = request.getfixturevalue("postgres_engine")
    url = server.create_database()
    yield url
    server.drop_database(url)


def upgrade_to(url: str, revision: str) -> None:
    engine = dialect.connect(url).execution_options(**{dialect.WRITES: True})
    config = upgrade.alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def fill_first_version(url: str) -> None:
    """One token, a file with its pin, and a pin that no file made; written as that version wrote."""
    engine = dialect.connect(url).execution_options(**{dialect.WRITES: True})
    at = EARLIER if engine.dialect.name == "postgresql" else EARLIER.replace(tzinfo=None).isoformat(" ")
    with engine.begin() as connection:

        def put(table: str, **values: Any) -> None:
            marks = ", ".join(f":{name}" for name in values)
            connection.execute(text(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"), values)

        put("tokens", id="t", name="owner", token_hash=b"h" * 32, created_at=at)
        common = {"status": "pinned", "error": None, "created_at": at, "updated_at": at}
        put("pins", id="p1", cid="Qm1", root="bafy1", name="a.txt", **common)
        put("pins", id="p2", cid="bafy2", root="bafy2", name="b", **common)
        sizes = {"size_bytes": 3, "content_type": "text/plain", "profile": "unixfs-v1-2025"}
        put("files", id="f1", pin_id="p1", cid="Qm1", name="a.txt", created_at=at, **sizes)
        peer = {"peer_id": "me", "peer_name": "here", "status": "pinned", "error": None}
        put("replicas", root="bafy1", claimed_at=at, seen_at=at, **peer)
        free = {"lease_owner": None, "lease_expires_at": None}
        put("reconciliations", root="bafy2", generation=3, due_at=at, attempts=1, **free)
    engine.dispose()


def differences(connection: Connection) -> list[Any]:
    def is_ours(_object: Any, name: str | None, _kind: str, _reflected: bool, _other: Any) -> bool:
        return "_search" not in (name or "") and "_trigrams" not in (name or "")  # each database's own

    options = {"include_object": is_ours}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))


@pytest.mark.parametrize("start", ["empty", "0001"])
def test_migrations_make_exactly_the_tables_of_the_models(start: str, empty_url: str) -> None:
    if start == "0001":
        upgrade_to(empty_url, "0001")
        fill_first_version(empty_url)
    Database(empty_url, may_upgrade=True).close()
    engine = create_engine(empty_url)
    with engine.connect() as connection:
        assert differences(connection) == []
    engine.dispose()


def test_what_the_first_version_kept_is_the_first_organisation_s(empty_url: str) -> None:
    upgrade_to(empty_url, "0001")
    fill_first_version(empty_url)
    database = Database(empty_url, may_upgrade=True)

    def look(session: Session) -> dict[str, Any]:
        organisation = session.scalars(select(OrganisationRow)).one()
        file, pin = session.execute(select(FileRow, PinRow).join(PinRow, PinRow.id == FileRow.pin_id)).one()
        other = session.scalars(select(PinRow).where(PinRow.of_file.is_(False))).one()
        totals = session.scalars(select(TotalsRow)).one()
        (token,) = session.scalars(select(TokenRow))
        return {
            "owners": {file.organisation_id, pin.organisation_id, other.organisation_id, token.organisation_id}
            == {organisation.id},
            "counted": (totals.files, totals.pins, totals.logical_bytes),
            "file": (file.name, file.root, file.size_bytes, file.block_bytes, file.created_at, file.tags),
            "pins": (pin.id, pin.of_file, pin.created_at, other.id, other.meta, other.status),
            "scopes": "files:write" in token.scopes,
        }

    assert database.everybody.read_now(look) == {
        "owners": True,
        "counted": (1, 1, 3),
        "file": ("a.txt", "bafy1", 3, 3, EARLIER, []),
        "pins": ("p1", True, EARLIER, "p2", {}, "pinned"),
        "scopes": True,
    }
    organisation = database.everybody.read_now(lambda session: session.scalars(select(OrganisationRow.id)).one())
    assert database.everybody.read_now(tokens.count) == 1
    assert database.of(organisation).write_now(add_pin) == 1
    found = database.of(organisation).read_now(
        lambda session: list(
            session.scalars(select(FileRow.name).where(NameSearch(session, FileRow, "txt").condition()))
        )
    )
    database.close()
    assert found == ["a.txt"]


def test_opening_again_keeps_what_is_there(empty_url: str) -> None:
    upgrade_to(empty_url, "0001")
    fill_first_version(empty_url)
    for _ in range(2):
        database = Database(empty_url, may_upgrade=True)
        assert database.everybody.read_now(tokens.count) == 1
        database.close()


def test_a_database_of_a_newer_version_is_not_touched(empty_url: str) -> None:
    Database(empty_url, may_upgrade=True).close()
    engine = dialect.connect(empty_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    for may_upgrade in (True, False):
        with pytest.raises(StoreNewer, match="9999"):
            Database(empty_url, may_upgrade=may_upgrade)


def test_an_older_database_is_not_opened_by_whoever_may_not_upgrade_it(empty_url: str) -> None:
    upgrade_to(empty_url, "0001")
    with pytest.raises(DatabaseOutdated):
        Database(empty_url, may_upgrade=False)


def test_a_migration_that_fails_leaves_the_version_before(empty_url: str) -> None:
    upgrade_to(empty_url, "0001")
    fill_first_version(empty_url)
    engine = dialect.connect(empty_url)
    with engine.begin() as connection:  # a table of the next version's name is in its way
        connection.execute(text("CREATE TABLE webhooks (id INTEGER)"))
    with pytest.raises(Exception, match="webhooks"):
        Database(empty_url, may_upgrade=True)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0001"
        assert connection.scalar(text("SELECT count(*) FROM files")) == 1
    engine.dispose()


def test_times_come_back_in_utc_with_their_fractions(database: Database, ours: str) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5)))
    database.of(ours).write_now(lambda session: session.add(pin_row("a", there)))
    (read,) = database.of(ours).read_now(pins.of_root, "bafy")
    assert read.created_at == NOW
    assert read.created_at.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(database: Database, ours: str) -> None:
    with pytest.raises(StatementError, match="zone"):
        database.of(ours).write_now(lambda session: session.add(pin_row("a", NOW.replace(tzinfo=None))))
