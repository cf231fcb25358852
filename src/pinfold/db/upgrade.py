"""Bring a database to this version's schema."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine

from pinfold.core.errors import StoreNewer

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def to_newest(engine: Engine) -> None:
    """Run the migrations that ``engine``'s database lacks, in one transaction.

    Raises:  StoreNewer, where the database has seen a migration that this version does not know.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    with engine.begin() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        if current == scripts.get_current_head():
            return
        if current is not None:
            try:
                scripts.get_revision(current)
            except CommandError as exc:
                raise StoreNewer(f"the database was written by a newer version (its schema is {current})") from exc
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
