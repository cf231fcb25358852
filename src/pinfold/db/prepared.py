"""Queries that run with nearly every request: made into SQL once, and carried out without the toolkit in between.

The toolkit takes several times as long to get such a small query to the database and its rows back as the database
takes to answer it.  Only queries that are worth it are here, and their scope holds as everywhere: one that reads rows
of organisations has a parameter ``organisation_id``, and gets it from the session.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Select
from sqlalchemy.orm import Session

from pinfold.db import scope

_OWNER: Final = "organisation_id"
_Process = Callable[[Any], Any]


class Prepared:
    """A SELECT of columns with named parameters."""

    def __init__(self, statement: Select[*tuple[Any, ...]], *, of_tenant: bool) -> None:
        """``of_tenant``: it reads rows of the session's organisation; else it is for everybody's sessions only."""
        key = statement._generate_cache_key()
        assert key is not None  # only statements that cannot be used again have none
        names = {parameter.key for parameter in key.bindparams}
        if of_tenant != (_OWNER in names):
            raise TypeError(f"a query of a tenant, and no other, has the parameter {_OWNER}")
        self._statement = statement
        self._of_tenant = of_tenant
        self._compiled: dict[str, _Compiled] = {}
        self._compiling = threading.Lock()

    def rows(self, session: Session, **values: Any) -> list[tuple[Any, ...]]:
        """What it finds, each row with its columns in order.  Raises: OutOfScope."""
        if self._of_tenant:
            values[_OWNER] = scope.bound_to(session)
        else:
            scope.require_everybody(session)
        connection = session.connection()
        name = connection.dialect.name
        compiled = self._compiled.get(name)
        if compiled is None:
            with self._compiling:
                compiled = self._compiled[name] = _Compiled(self._statement, connection.dialect)
        return compiled.rows(connection, values)


class _Compiled:
    """The same for one kind of database."""

    def __init__(self, statement: Select[*tuple[Any, ...]], dialect: Dialect) -> None:
        self._statement = statement
        compiled = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._order: Sequence[str] | None = getattr(compiled, "positiontup", None)
        self._given: dict[str, _Process | None] = {}
        self._constants: dict[str, Any] = {}
        for parameter, name in compiled.bind_names.items():
            process = parameter.type._cached_bind_processor(dialect)
            if parameter.required:
                self._given[name] = process
            else:
                self._constants[name] = process(parameter.value) if process else parameter.value
        types = [column.type for column in statement.selected_columns]
        found = [(at, kind._cached_result_processor(dialect, None)) for at, kind in enumerate(types)]
        self._process: list[tuple[int, _Process]] = [(at, process) for at, process in found if process is not None]
        self._failures: type[Exception] = dialect.loaded_dbapi.Error

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """What it finds with these parameters."""
        bound = dict(self._constants)
        for name, process in self._given.items():
            bound[name] = process(values[name]) if process else values[name]
        raw: Any = connection.connection.driver_connection
        given: Any = bound if self._order is None else [bound[name] for name in self._order]
        try:
            found: list[tuple[Any, ...]] = raw.execute(self._sql, given).fetchall()
        except self._failures:  # the toolkit knows what that means for its connection, and how to say it
            return [tuple(row) for row in connection.execute(self._statement, dict(values))]
        if not self._process:
            return found
        rows = []
        for row in found:
            columns = list(row)
            for at, process in self._process:
                columns[at] = process(columns[at])
            rows.append(tuple(columns))
        return rows
