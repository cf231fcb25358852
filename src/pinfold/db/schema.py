"""Which schema a database has, beside the one that this version needs: asked without loading what migrates."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, column, inspect, select, table

from pinfold.core.errors import DatabaseOutdated, StoreNewer

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_KEPT_IN: Final = "alembic_version"


@cache
def known() -> tuple[str, ...]:
    """The schemas of all versions up to this one, in their order: ``step_0002_platform.py`` makes ``0002``."""
    return tuple(sorted(path.name.split("_")[1] for path in (MIGRATIONS / "versions").glob("step_*.py")))


def newest() -> str:
    """This version's schema."""
    return known()[-1]


def is_behind(connection: Connection) -> bool:
    """Whether the database has an older schema than this version's, or none.  Raises: StoreNewer."""
    current = _current(connection)
    if current is not None and current not in known():
        raise StoreNewer(f"the database was written by a newer version (its schema is {current})")
    return current != newest()


def require_newest(engine: Engine) -> None:
    """Make sure that the database has this version's schema.  Raises: DatabaseOutdated, StoreNewer."""
    with engine.connect() as connection:
        if is_behind(connection):
            raise DatabaseOutdated("the database has an older schema than this version needs, or none")


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_KEPT_IN):
        return None
    found: str | None = connection.scalar(select(column("version_num")).select_from(table(_KEPT_IN)))
    return found
