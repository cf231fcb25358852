"""A database for the services under test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pinfold.db import Database


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Database]:
    """An empty database of this version's schema, once on each kind."""
    database = Database(database_url or f"sqlite:///{tmp_path / 'platform.sqlite3'}")
    yield database
    database.close()
