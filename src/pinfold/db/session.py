"""The open database: queries run in threads, each in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from pinfold.core.errors import StoreError, StoreFull, StoreNewer, StoreUnreadable
from pinfold.db import dialect, upgrade

P = ParamSpec("P")
T = TypeVar("T")

DATABASE_FAILURES: Final = (SQLAlchemyError, StoreError)
"""What a query may raise that says nothing about what was asked: the database is away, locked or full."""

_READERS = 4  # queries are short; more threads would only wait for the interpreter


class Database:
    """A database that was brought to this version's schema.

    ``read`` and ``write`` take a query (a function whose first argument is the session) and run it in one transaction:
    all of it is committed, durably, or nothing is.  Rows that come back are detached and can be read freely.
    """

    def __init__(self, url: str) -> None:
        """Raises:  InvalidSetting, StoreNewer, StoreUnreadable."""
        self._engine = dialect.connect(url)
        self._for_writes = self._engine.execution_options(**{dialect.WRITES: True})
        try:
            upgrade.to_newest(self._for_writes)
        except DatabaseError as exc:
            self._engine.dispose()
            raise StoreUnreadable(f"the database cannot be opened: {exc.orig}") from exc
        except StoreNewer:
            self._engine.dispose()
            raise
        # One writer: SQLite has room for one, and a queue here is fairer than its busy loop.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="db-write")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="db-read")

    async def read(self, query: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a query that changes nothing."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, lambda: self.run(query, False, *args, **kwargs))

    async def write(self, query: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a query that changes something, once the change is durable.

        A caller that is cancelled meanwhile does not stop the transaction.  Raises: StoreFull.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, lambda: self.run(query, True, *args, **kwargs))

    def run(self, query: Callable[Concatenate[Session, P], T], writes: bool, /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The same in the calling thread."""
        with self._session(writes) as session:
            return query(session, *args, **kwargs)

    @contextmanager
    def _session(self, writes: bool) -> Iterator[Session]:
        try:
            with Session(self._for_writes if writes else self._engine, expire_on_commit=False) as session:
                with session.begin():
                    yield session
        except OperationalError as exc:
            if "full" in str(exc.orig):
                raise StoreFull("the disk is full: the database could not be written") from exc
            raise

    def close(self) -> None:
        """Finish what runs and let go of the files."""
        self._writer.shutdown()
        self._readers.shutdown()
        self._engine.dispose()
