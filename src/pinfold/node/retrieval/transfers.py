"""Answers that are being read, so that all of them can be broken off at once, from another thread."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import httpx


class Transfers:
    """The answers of one retrieval that are under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._broken = False

    @contextmanager
    def watch(self, answer: AbstractContextManager[httpx.Response]) -> Iterator[httpx.Response]:
        """The answer, which ``break_off`` ends.  Raises: what ``answer`` raises, ReadError once broken off."""
        with answer as response:
            connection = _socket_of(response)
            with self._lock:
                if self._broken:
                    raise httpx.ReadError("the retrieval is over")
                if connection is not None:
                    self._open.add(connection)
            try:
                yield response
            finally:
                with self._lock:
                    if connection is not None:
                        self._open.discard(connection)

    def break_off(self) -> None:
        """End every answer that is being read, and each one that comes from now on."""
        with self._lock:
            self._broken = True
            for connection in self._open:
                with suppress(OSError):  # it ended by itself just now
                    # Not a TLS socket's own shutdown: that takes away what the reading thread works with.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)


def is_idle(response: httpx.Response) -> bool:
    """Whether nothing more has come by now; reading on would wait.  For TLS, True may be wrong."""
    connection = _socket_of(response)
    if connection is None:
        return False
    poll = select.poll()
    try:
        poll.register(connection, select.POLLIN)
    except ValueError:  # closed
        return False
    return not poll.poll(0)


def _socket_of(response: httpx.Response) -> socket.socket | None:
    """The connection an answer comes by; None where there is none, as with a transport in memory."""
    stream = response.extensions.get("network_stream")
    found = stream.get_extra_info("socket") if stream is not None else None
    return found if isinstance(found, socket.socket) else None
