"""What contracts of the database run on: both of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pinfold.db import Database
from tests.support.tenants import make_organisation


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Database]:
    """An empty database, SQLite or PostgreSQL."""
    database = Database(database_url or f"sqlite:///{tmp_path / 'platform.sqlite3'}")
    yield database
    database.close()


@pytest.fixture
def ours(database: Database) -> str:
    """The id of an organisation."""
    return database.everybody.write_now(make_organisation, "ours")


@pytest.fixture
def theirs(database: Database) -> str:
    """The id of another."""
    return database.everybody.write_now(make_organisation, "theirs")
