"""A real PostgreSQL of the tests' own: fresh databases on a loopback port, gone when the block ends."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator

import psycopg
from engines.postgres_server import WHERE_FROM, postgres_is_here
from psycopg import sql
from sqlalchemy import make_url

from tests.support.served import Served, served

__all__ = ["WHERE_FROM", "PostgresServer", "postgres_is_here", "postgres_server"]


class PostgresServer:
    """A running server; every URL is SQLAlchemy's, ``postgresql+psycopg://…``, of its superuser."""

    def __init__(self, server: Served) -> None:
        """Speak to ``server``."""
        self._server = server
        self._numbers = itertools.count(1)

    def url_of(self, database: str) -> str:
        """Where a database of that name answers, whether there is one or not."""
        return make_url(self._server.url).set(database=database).render_as_string(hide_password=False)

    def create_database(self, *, template: str | None = None) -> str:
        """The URL of a new database: empty, or a copy of the one at the URL ``template``, which nobody may be using."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        original = "template1" if template is None else name_of(template)
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, original)
        return self.url_of(name)

    def drop_database(self, url: str) -> None:
        """Remove the database at ``url``, cutting off whoever still uses it; nothing when it is gone."""
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name_of(url))

    def crash(self) -> None:
        """Cut the server off as ``pg_ctl stop -m immediate`` does, and return when it has recovered, at the same URLs.

        What was committed is there again.  With ``durable=False`` only because the machine itself goes on.
        """
        self._server.crash()

    def halt(self) -> None:
        """Stop the server, which cuts off everybody, until ``resume``."""
        self._server.halt()

    def resume(self) -> None:
        """Return when it serves again, at the same URLs."""
        self._server.resume()

    def freeze(self) -> None:
        """Stop the server's processes where they are, until ``thaw``: connections stay open, and nothing answers."""
        self._server.freeze()

    def thaw(self) -> None:
        """Let them go on."""
        self._server.thaw()

    def _execute(self, statement: str, *names: str) -> None:
        target = make_url(self._server.url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(target, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def name_of(url: str) -> str:
    """The database that a URL names."""
    name = make_url(url).database
    assert name, f"{url} names no database"
    return name


@contextlib.contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """A server for the length of the block.  ``durable`` leaves fsync on, as tests of power cuts and crashes need."""
    with served("postgres", *(() if durable else ("--fast",))) as server:
        yield PostgresServer(server)
