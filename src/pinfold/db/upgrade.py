"""Bring a database to this version's schema."""

from __future__ import annotations

from typing import Final, NamedTuple

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError

from pinfold.core.errors import DatabaseOutdated
from pinfold.db import dialect, schema
from pinfold.db.failures import unopened

_LOCK: Final = 7046029254386353131  # any number that nobody else locks


class Done(NamedTuple):
    """What an upgrade found and did."""

    schema: str
    """The schema that the database has now."""
    changed: bool


def run(url: str, *, check_only: bool = False) -> Done:
    """Bring the database at ``url`` to this version's schema, or make sure that it has it.

    Raises:  InvalidSetting (the URL), StoreUnreadable, DatabaseUnavailable, StoreCorrupt, StoreNewer; DatabaseOutdated,
             where it was to be checked only.
    """
    engine = dialect.connect(url, may_take_long=True)
    try:
        if check_only and dialect.is_missing_file(url):
            raise DatabaseOutdated("there is no database yet")
        try:
            schema.require_newest(engine)
        except DatabaseOutdated:
            if check_only:
                raise
            return Done(to_newest(engine.execution_options(**{dialect.WRITES: True})), changed=True)
        return Done(schema.newest(), changed=False)
    except DatabaseError as exc:
        raise unopened(exc, engine.url) from exc
    finally:
        engine.dispose()


def to_newest(engine: Engine) -> str:
    """Run the migrations that ``engine``'s database lacks, in one transaction; the schema that it has then.

    Raises:  StoreNewer, where the database has seen a migration that this version does not know.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # two processes that start at once: one of them waits
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        if schema.is_behind(connection):
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return schema.newest()


def alembic_config() -> Config:
    """Where Alembic finds the steps."""
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS).replace("%", "%%"))
    return config
