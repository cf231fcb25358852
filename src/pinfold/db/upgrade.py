"""Bring a database to this version's schema."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError

from pinfold.core.errors import DatabaseOutdated, StoreNewer, StoreUnreadable
from pinfold.db import dialect

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 7046029254386353131  # any number that nobody else locks


class Done(NamedTuple):
    """What an upgrade found and did."""

    schema: str
    """The schema that the database has now."""
    changed: bool


def run(url: str, *, check_only: bool = False) -> Done:
    """Bring the database at ``url`` to this version's schema, or make sure that it has it.

    Raises:  InvalidSetting (the URL), StoreUnreadable, StoreNewer; DatabaseOutdated, where it was to be checked only.
    """
    engine = dialect.connect(url)
    try:
        if check_only and dialect.is_missing_file(url):
            raise DatabaseOutdated("there is no database yet")
        try:
            require_newest(engine)
        except DatabaseOutdated:
            if check_only:
                raise
            return Done(to_newest(engine.execution_options(**{dialect.WRITES: True})), changed=True)
        return Done(_scripts()[1].get_current_head() or "", changed=False)
    except DatabaseError as exc:
        raise StoreUnreadable(f"the database cannot be opened: {exc.orig}") from exc
    finally:
        engine.dispose()


def to_newest(engine: Engine) -> str:
    """Run the migrations that ``engine``'s database lacks, in one transaction; the schema that it has then.

    Raises:  StoreNewer, where the database has seen a migration that this version does not know.
    """
    config, scripts = _scripts()
    head = scripts.get_current_head() or ""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # two processes that start at once: one of them waits
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        if _is_behind(connection, scripts):
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return head


def require_newest(engine: Engine) -> None:
    """Make sure that the database has this version's schema.  Raises: DatabaseOutdated, StoreNewer."""
    _, scripts = _scripts()
    with engine.connect() as connection:
        if _is_behind(connection, scripts):
            raise DatabaseOutdated("the database has an older schema than this version needs, or none")


def _scripts() -> tuple[Config, ScriptDirectory]:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config, ScriptDirectory.from_config(config)


def _is_behind(connection: Connection, scripts: ScriptDirectory) -> bool:
    current = MigrationContext.configure(connection).get_current_revision()
    if current == scripts.get_current_head():
        return False
    if current is not None:
        try:
            scripts.get_revision(current)
        except CommandError as exc:
            raise StoreNewer(f"the database was written by a newer version (its schema is {current})") from exc
    return True
