"""The open database: queries run in threads, reads side by side, writes grouped so that many share one commit."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from pinfold.core.errors import DatabaseOutdated, StoreError, StoreFull, StoreNewer, StoreUnreadable
from pinfold.db import dialect, scope, upgrade

P = ParamSpec("P")
T = TypeVar("T")

DATABASE_FAILURES: Final = (SQLAlchemyError, StoreError)
"""What a query may raise that says nothing about what was asked: the database is away, locked or full."""

_READERS: Final = 4  # queries are short; more threads would only wait for the interpreter
_MOST_TOGETHER: Final = 64  # writes in one transaction: beyond that the sync is no longer what they wait for
_TRIES: Final = 5
_TRY_AGAIN: Final = frozenset({"40001", "40P01"})  # PostgreSQL: serialisation failure, deadlock


@dataclass(slots=True)
class _Write:
    organisation_id: str
    query: Callable[[Session], Any]
    done: Future[Any]
    tries: int = 0


class Database:
    """A database of this version's schema.

    ``of`` and ``everybody`` give what queries run through: a query is a function whose first argument is the session,
    and all of it is committed, durably, or nothing is.  Rows that come back are detached and can be read freely.
    """

    def __init__(self, url: str, *, may_upgrade: bool | None = None) -> None:
        """Open it; an SQLite file is brought to this version's schema, another database only if it ``may_upgrade``.

        Raises:  InvalidSetting, StoreNewer, StoreUnreadable, DatabaseOutdated.
        """
        self.engine = dialect.connect(url)
        self._for_writes = self.engine.execution_options(**{dialect.WRITES: True})
        is_sqlite = self.engine.dialect.name == "sqlite"
        try:
            if is_sqlite if may_upgrade is None else may_upgrade:
                upgrade.to_newest(self._for_writes)
            else:
                upgrade.require_newest(self.engine)
        except DatabaseError as exc:
            self.engine.dispose()
            raise StoreUnreadable(f"the database cannot be opened: {exc.orig}") from exc
        except (StoreNewer, DatabaseOutdated):
            self.engine.dispose()
            raise
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        # SQLite has room for one writer, and a queue here is fairer than its busy loop.
        self._writers = [
            threading.Thread(target=self._write_for_ever, name=f"db-write-{number}", daemon=True)
            for number in range(1 if is_sqlite else 2)
        ]
        for writer in self._writers:
            writer.start()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="db-read")
        self.everybody = Bound(self, scope.EVERYBODY)
        """For what serves all organisations: workers, administrators, and finding out whose a token is."""

    def of(self, organisation_id: str) -> Bound:
        """What reaches the rows of one organisation, and of no other."""
        return Bound(self, organisation_id)

    def close(self) -> None:
        """Finish what runs and let go of the files."""
        for _ in self._writers:
            self._queue.put(None)
        for writer in self._writers:
            writer.join()
        self._readers.shutdown()
        self.engine.dispose()

    # -- what Bound calls --------------------------------------------------------------------------------------------

    def _read(self, organisation_id: str, query: Callable[[Session], T]) -> T:
        with self.engine.connect() as connection, _failures_told(), connection.begin():
            return _in_session(connection, organisation_id, query)

    def _submit_read(self, organisation_id: str, query: Callable[[Session], T]) -> Future[T]:
        return self._readers.submit(self._read, organisation_id, query)

    def _submit_write(self, organisation_id: str, query: Callable[[Session], T]) -> Future[T]:
        done: Future[T] = Future()
        self._queue.put(_Write(organisation_id, query, done))
        return done

    def _write_for_ever(self) -> None:
        while (first := self._queue.get()) is not None:
            together, ended = [first], False
            while len(together) < _MOST_TOGETHER:
                try:
                    further = self._queue.get_nowait()
                except queue.Empty:
                    break
                if further is None:
                    ended = True
                    break
                together.append(further)
            self._commit(together)
            if ended:
                return

    def _commit(self, together: list[_Write]) -> None:
        """Carry writes out in one transaction, each on its own to fail."""
        results: list[tuple[_Write, Any]] = []
        again: list[_Write] = []
        try:
            with self._for_writes.connect() as connection, _failures_told(), connection.begin():
                for write in together:
                    try:
                        if len(together) == 1:
                            results.append((write, _in_session(connection, write.organisation_id, write.query)))
                        else:
                            with connection.begin_nested():
                                results.append((write, _in_session(connection, write.organisation_id, write.query)))
                    except Exception as exc:
                        if connection.invalidated or connection.closed or len(together) == 1:
                            raise
                        if _may_try_again(exc, write):
                            again.append(write)
                        else:
                            write.done.set_exception(exc)
        except Exception as exc:  # noqa: BLE001 - as above: nothing of this transaction came to be
            if len(together) == 1 and _may_try_again(exc, together[0]):
                return self._commit(together)
            for write in together:
                if not write.done.done():
                    write.done.set_exception(exc)
            return
        for write, result in results:
            write.done.set_result(result)
        for write in again:  # alone: what it waited for in a ring is committed now
            self._commit([write])


class Bound:
    """A database as one organisation, or everybody, may use it."""

    __slots__ = ("_database", "_organisation_id")

    def __init__(self, database: Database, organisation_id: str) -> None:
        self._database = database
        self._organisation_id = organisation_id

    async def read(self, query: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a query that changes nothing."""
        ask = self._database._submit_read(self._organisation_id, lambda session: query(session, *args, **kwargs))
        return await asyncio.wrap_future(ask)

    async def write(self, query: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a query that changes something, once the change is durable.

        A caller that is cancelled meanwhile does not stop it.  The query may be run again after a deadlock, so it
        changes nothing but the database.  Raises: StoreFull.
        """
        ask = self._database._submit_write(self._organisation_id, lambda session: query(session, *args, **kwargs))
        return await asyncio.shield(asyncio.wrap_future(ask))

    def read_now(self, query: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """``read`` in the calling thread."""
        return self._database._read(self._organisation_id, lambda session: query(session, *args, **kwargs))

    def write_now(self, query: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """``write``, waited for in the calling thread."""
        return self._database._submit_write(
            self._organisation_id, lambda session: query(session, *args, **kwargs)
        ).result()


def _in_session(connection: Connection, organisation_id: str, query: Callable[[Session], T]) -> T:
    with Session(connection, expire_on_commit=False, join_transaction_mode="rollback_only") as session:
        scope.bind(session, organisation_id)
        result = query(session)
        session.flush()
        session.expunge_all()
        return result


def _may_try_again(exc: BaseException, write: _Write) -> bool:
    write.tries += 1
    state = getattr(exc.orig, "sqlstate", None) if isinstance(exc, DBAPIError) else None
    return state in _TRY_AGAIN and write.tries < _TRIES


@contextmanager
def _failures_told() -> Iterator[None]:
    try:
        yield
    except OperationalError as exc:
        if "full" in str(exc.orig) or getattr(exc.orig, "sqlstate", None) == "53100":
            raise StoreFull("the disk is full: the database could not be written") from exc
        raise
