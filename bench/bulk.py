"""Millions of rows into either database, past everything that makes single rows safe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from sqlalchemy import Engine, Table

_MUCH: Final = 512 << 20
_USUAL: Final = 1 << 20  # SQLite's own
Batches = Iterable[Sequence[dict[str, Any]]]


class Writer(Protocol):
    """One database, open for rows in bulk."""

    def value(self, statement: str) -> Any:
        """The one value that a query gives."""

    def run(self, statement: str) -> None:
        """Run a statement."""

    def without_indexes(self, tables: Sequence[str]) -> None:
        """Drop the secondary indexes of tables, and what else keeps an index."""

    def insert(self, table: Table, batches: Batches) -> int:
        """Write rows; columns that they do not give have their default.  How many there were."""

    def with_indexes(self) -> None:
        """Build what was dropped, and have the planner know the tables."""

    def close(self) -> None:
        """Let go of it."""


def open_writer(engine: Engine) -> Writer:
    """What writes into the database of ``engine``."""
    raw = engine.raw_connection().driver_connection
    assert raw is not None
    return SQLite(raw) if engine.dialect.name == "sqlite" else PostgreSQL(raw)


def filled(table: Table, given: dict[str, Any]) -> dict[str, Any]:
    """A row with the defaults of the columns that it does not give."""
    row = {}
    for column in table.columns:
        default: Any = column.default
        row[column.name] = default.arg if default is not None and default.is_scalar else None
    return row | given


class SQLite:
    """An SQLite file."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._dropped: list[str] = []
        for pragma in ("synchronous = OFF", "cache_size = -1048576", "foreign_keys = OFF", "threads = 2"):
            raw.execute(f"PRAGMA {pragma}")

    def value(self, statement: str) -> Any:
        return self._raw.execute(statement).fetchone()[0]

    def run(self, statement: str) -> None:
        self._raw.execute(statement)

    def without_indexes(self, tables: Sequence[str]) -> None:
        marks = ", ".join("?" * len(tables))
        found = self._raw.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL "
            f"AND tbl_name IN ({marks})",
            tables,
        ).fetchall()
        for kind, name, definition in found:
            self._raw.execute(f"DROP {kind} {name}")
            self._dropped.append(definition)

    def insert(self, table: Table, batches: Batches) -> int:
        base, written = filled(table, {}), 0
        marks = ", ".join(f":{name}" for name in base)
        statement = f"INSERT INTO {table.name} ({', '.join(base)}) VALUES ({marks})"
        for batch in batches:
            self._raw.execute("BEGIN")
            self._raw.executemany(statement, [base | row for row in batch])
            self._raw.execute("COMMIT")
            written += len(batch)
        return written

    def with_indexes(self) -> None:
        for definition in sorted(self._dropped):  # indexes before triggers
            self._raw.execute(definition)
        for table, kind in (("pins", "of_file"), ("files", "0")):  # as the triggers do, in the index's own order
            self._gather(f"{table}_search", _MUCH)  # so that hundreds of segments need not be merged
            self._raw.execute(
                f"INSERT INTO {table}_search(rowid, name) SELECT ((o.number * 2 + {kind}) << 40) + t.number, t.name"
                f" FROM organisations_search AS o JOIN {table} AS t ON t.organisation_id = o.organisation_id ORDER BY 1"
            )
            self._gather(f"{table}_search", _USUAL)
        self._raw.execute("ANALYZE")
        self._raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._raw.close()

    def _gather(self, search: str, size: int) -> None:
        """Have the index gather so many bytes in memory before it writes a segment."""
        self._raw.execute(f"INSERT INTO {search}({search}, rank) VALUES ('hashsize', {size})")


class PostgreSQL:
    """A PostgreSQL, as its superuser."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._dropped: list[str] = []
        raw.autocommit = True
        for setting in ("session_replication_role = replica", "maintenance_work_mem = '1GB'", "TIME ZONE 'UTC'"):
            raw.execute(f"SET {setting}")
        raw.execute("SET synchronous_commit = off")

    def value(self, statement: str) -> Any:
        return self._raw.execute(statement).fetchone()[0]

    def run(self, statement: str) -> None:
        self._raw.execute(statement)

    def without_indexes(self, tables: Sequence[str]) -> None:
        found = self._raw.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = ANY(%s) "
            "AND indexname NOT IN (SELECT conname FROM pg_constraint)",
            [list(tables)],
        ).fetchall()
        for name, definition in found:
            self._raw.execute(f"DROP INDEX {name}")
            self._dropped.append(definition)

    def insert(self, table: Table, batches: Batches) -> int:
        base, written = filled(table, {}), 0
        with self._raw.cursor().copy(f"COPY {table.name} ({', '.join(base)}) FROM STDIN") as copy:
            for batch in batches:
                copy.write("".join(_line((base | row).values()) for row in batch))
                written += len(batch)
        return written

    def with_indexes(self) -> None:
        for definition in self._dropped:
            self._raw.execute(definition)
        for table in ("pins", "files"):
            self._raw.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'number'), (SELECT max(number) FROM {table}))"
            )
        self._raw.execute("VACUUM ANALYZE")

    def close(self) -> None:
        self._raw.close()


def _line(values: Iterable[Any]) -> str:
    return "\t".join(map(_text, values)) + "\n"


def _text(value: Any) -> str:
    if value is None:
        return r"\N"
    if isinstance(value, bytes):
        return r"\\x" + value.hex()
    return str(value)
