"""Sockets and servers: bound first, so that a taken port is known before anything else starts."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pinfold.app.gathering import Gathering
from pinfold.core.errors import InvalidSetting, PinfoldError
from pinfold.settings.values import Address

_BACKLOG = 2048
_MAX_HEAD_BYTES = 64 << 10  # far more than any browser sends
_HEAD_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_HEAD_WITHIN_S = 30.0  # of its first byte, or of the connection: browsers open some to have them at hand
_HEAD_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_KEEP_ALIVE_S = 75  # longer than the pauses of browsers and proxies that reuse connections
_STALLED_S = 3.0  # an upload that sent nothing for so long does not hold up a stop
_LAST_WORDS_S = 5  # for requests whose connection was cut to notice it, before they are cancelled


def bind(address: Address, setting: str) -> socket.socket:
    """A socket that listens at ``address``.

    Raises:  PinfoldError where the address is taken, InvalidSetting where it is none of this machine's.
    """
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as exc:
        raise InvalidSetting(f"{setting}: {address.host!r} is no address of this machine ({exc.strerror})") from exc
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(target)
        sock.listen(_BACKLOG)  # at once: two programs may bind one address, but only one may listen
        sock.setblocking(False)
    except OSError as exc:
        sock.close()
        raise _refusal(exc, address, setting) from exc
    return sock


def _refusal(exc: OSError, address: Address, setting: str) -> PinfoldError:
    hint = f"Choose another by PINFOLD_{setting.upper()}; port 0 takes any free one."
    if exc.errno == errno.EADDRINUSE:
        return PinfoldError(f"{address} is in use by another program", hint=hint)
    if exc.errno == errno.EACCES:
        return PinfoldError(f"{address} may not be used by this user", hint=hint)
    return InvalidSetting(f"{setting} {address} cannot be listened at: {exc.strerror}", hint=hint)


def bound_address(sock: socket.socket, asked: Address) -> Address:
    """The address that a socket really has: port 0 has become one."""
    port: int = sock.getsockname()[1]
    return Address(asked.host, port)


class BoundedHead(HttpToolsProtocol):
    """HTTP whose request heads are cut off at a size and after a time: the parser itself would take one without an end.

    Nor does it wait for ever for the rest of a body whose request is answered.  One timer a connection sees to that,
    which looks now and then: a request has none of its own.
    """

    _head_bytes = 0
    _in_body = False
    _heard_at = 0.0
    _head_since = 0.0
    _watch: asyncio.TimerHandle | None = None
    _left_over: object = None
    """The request that was answered before all of it had come, as the last look saw it."""

    def has_stalled(self, now: float) -> bool:
        """Whether the rest of a request has been waited for too long; ``now`` is the loop's time."""
        return self._in_body and now - self._heard_at > _STALLED_S and not self.flow.read_paused

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Serve a new connection."""
        super().connection_made(transport)
        self.transport = Gathering(transport, self.loop)
        self._head_since = self.loop.time()
        self._watch = self.loop.call_later(_HEAD_WITHIN_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        super().connection_lost(exc)

    def _look(self) -> None:
        """End the connection where what should come does not, or look again when that may be so."""
        self._watch = None
        if self.transport.is_closing():
            return
        wait_s = _HEAD_WITHIN_S
        if self._in_body:
            left_over = self.cycle if self.cycle.response_complete else None
            if left_over is not None and left_over is self._left_over:
                return self.transport.close()
            self._left_over = left_over
        elif self._head_bytes or self.cycle is None:  # between two requests another timer runs, the parser's
            wait_s -= self.loop.time() - self._head_since
            if wait_s <= 0:
                if self._head_bytes:
                    self.transport.write(_HEAD_TOO_SLOW)
                return self.transport.close()
        self._watch = self.loop.call_later(wait_s, self._look)

    def cut(self) -> None:
        """Drop the connection; the request that runs on it sees its client gone."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes of the connection."""
        self._heard_at = self.loop.time()
        if not self._in_body:
            if not self._head_bytes:
                self._head_since = self._heard_at
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._in_body and self._head_bytes > _MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_HEAD_TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_body = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole; what follows is the next one's head."""
        self._in_body, self._head_bytes = False, 0
        super().on_message_complete()


class QuietServer(uvicorn.Server):
    """A server that leaves signals to the program, which has two of them to stop, and stops without a fuss."""

    def __init__(self, config: uvicorn.Config, grace_s: float) -> None:
        super().__init__(config)
        self._grace_s = grace_s

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new connections and let running requests finish, as long as they move and the grace lasts."""
        cutting = asyncio.create_task(self._cut_what_lasts())
        try:
            await super().shutdown(sockets)
        finally:
            cutting.cancel()

    async def _cut_what_lasts(self) -> None:
        now = asyncio.get_running_loop().time
        end = now() + self._grace_s
        while True:
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedHead) and (now() >= end or connection.has_stalled(now())):
                    connection.cut()
            await asyncio.sleep(0.1)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture nothing."""
        yield


def server(app: ASGIApp, grace_s: float) -> QuietServer:
    """A server for ``app``, which gives running requests ``grace_s`` when it stops."""
    config = uvicorn.Config(
        app,
        http=BoundedHead,
        ws="none",
        lifespan="off",
        access_log=False,  # our own lines say more
        log_config=None,
        server_header=False,
        proxy_headers=False,  # whose are believed is a setting of ours
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=round(grace_s) + _LAST_WORDS_S,
        backlog=_BACKLOG,
    )
    return QuietServer(config, grace_s)
