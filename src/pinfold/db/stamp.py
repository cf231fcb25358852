"""Whether anything has been committed since: asked in microseconds, so that what was read may be used again.

SQLite counts commits of all connections, of other processes as well, and a connection that never writes sees the
count change with each.  PostgreSQL has nothing that is as cheap and as sure, so there everything is read anew.
"""

from __future__ import annotations

import sqlite3
import threading
from typing import Final

from sqlalchemy import Engine

_QUESTION: Final = "PRAGMA data_version"


class Stamp:
    """The state of a database as a number that is another one after every commit."""

    def __init__(self, engine: Engine) -> None:
        self._path = engine.url.database if engine.dialect.name == "sqlite" else None
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def now(self) -> int | None:
        """The number at this moment; None where nobody can say, and nothing that was read may be used again."""
        if self._path is None:
            return None
        with self._lock:
            try:
                if self._connection is None:
                    # Never waits: an event loop asks.  A file that is not there yet is not made.
                    uri = f"file:{_quoted(self._path)}?mode=rw"
                    self._connection = sqlite3.connect(
                        uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False
                    )
                number: int = self._connection.execute(_QUESTION).fetchone()[0]
            except sqlite3.Error:
                return None
        return number

    def close(self) -> None:
        """Let go of the file; ``now`` takes it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
