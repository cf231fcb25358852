"""A PostgreSQL that does not answer: noticed, so that no statement waits for ever and none is cut for being long.

A process that is stopped, or a network that drops packets, closes no connection.  So a statement that has had no answer
for a while makes its thread connect anew.  Where that is answered the server is only busy, and the statement goes on;
where it is not, the statement fails, and so does what is asked in the next seconds, without a wait of its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from typing import Any, Final, TypeVar

import psycopg
from psycopg.errors import ConnectionTimeout

T = TypeVar("T")

QUIET_S: Final = 5.0
"""A statement that has had no answer for so long makes its thread look whether the server is there."""
CONNECT_TIMEOUT_S: Final = 5
"""A new connection takes milliseconds, and a second or two where the machine is busy."""
_SILENT_S: Final = 2.0
"""How long a silent server is not asked again: as long as Retry-After tells callers to wait."""
_LATE_S: Final = 15.0
"""How long after the end of its own time limit the server may take to say that it cut a statement off."""

# When the process stops, nothing is worth a long wait: the grace period is for requests.
_QUIET_AT_STOP_S: Final = 1.0
_CONNECT_TIMEOUT_AT_STOP_S: Final = 2  # libpq takes no less


class Server:
    """Whether one server answers, as all connections to it have learned."""

    def __init__(self) -> None:
        self._silent_until = 0.0
        self._answered_at = 0.0
        self._is_stopping = False

    def stop(self) -> None:
        """Wait only briefly from now on: the process ends."""
        self._is_stopping = True

    def connect(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> Connection:
        """A new connection.  Raises: psycopg.Error, at once where the server did not answer a moment ago."""
        if time.monotonic() < self._silent_until:
            raise ConnectionTimeout("the server did not answer a moment ago")
        if self._is_stopping:
            options = {**options, "connect_timeout": _CONNECT_TIMEOUT_AT_STOP_S}
        try:
            connection = Connection.connect(*arguments, **options)
        except ConnectionTimeout:
            self._is_silent()
            raise
        self._answered_at = time.monotonic()
        connection.watch(self, arguments, options)
        return connection

    def require_answer(self, since: float, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Make sure that the server is there, where a statement has waited ``since``.  Raises: ConnectionTimeout."""
        quiet_s = _QUIET_AT_STOP_S if self._is_stopping else QUIET_S
        now = time.monotonic()
        if now < self._silent_until:
            raise ConnectionTimeout("the server does not answer")
        if now - max(since, self._answered_at) < quiet_s:
            return
        try:
            self.connect(arguments, options).close()
        except ConnectionTimeout:
            raise
        except psycopg.OperationalError:  # it refuses (too many connections, say), so it is there
            self._answered_at = time.monotonic()

    def _is_silent(self) -> None:
        self._silent_until = math.inf if self._is_stopping else time.monotonic() + _SILENT_S


class Connection(psycopg.Connection[Any]):
    """A connection whose statements end where the server does not answer, or not long after its own time limit."""

    limit_s: float = 0.0
    """The server's own time limit of a statement; 0 where it has none."""
    _server: Server | None = None
    _how: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    def watch(self, server: Server, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Look after the server from now on; ``arguments`` and ``options`` are those to connect to it with."""
        self._server, self._how = server, (arguments, options)

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        """See ``psycopg.Connection.wait``."""
        return super().wait(self._watched(gen), *args, **kwargs)

    def _watched(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        began = heard = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    heard = time.monotonic()
                else:  # several times a second, where nothing comes
                    self._require_answer(began, heard)
                wanted = gen.send(ready)
        except StopIteration as ended:
            found: T = ended.value
            return found

    def _require_answer(self, began: float, heard: float) -> None:
        if self._server is None:
            return
        try:
            self._server.require_answer(heard, *self._how)
        except ConnectionTimeout as exc:
            self.pgconn.finish()  # at once: there is nobody to say goodbye to
            raise psycopg.OperationalError("the server does not answer") from exc
        if self.limit_s and time.monotonic() - began > self.limit_s + _LATE_S:
            self.pgconn.finish()
            raise psycopg.OperationalError("the server does not answer on this connection")
