"""Sockets and servers: bound first, so that a taken port is known before anything else starts."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections.abc import Generator, Sequence
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from pinfold.core.errors import InvalidSetting, PinfoldError
from pinfold.http.connections import Connections
from pinfold.http.limits import Limits
from pinfold.http.listener import Listener
from pinfold.http.protocol import HttpProtocol
from pinfold.http.refusal import Render
from pinfold.settings.values import Address

_BACKLOG = 2048
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
                if isinstance(connection, HttpProtocol) and (now() >= end or connection.has_stalled(now())):
                    connection.cut()
            await asyncio.sleep(0.1)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture nothing."""
        yield


def listener(
    name: str, render: Render, *, connections: int, send_silence_s: float, exempt: Sequence[str] = ()
) -> Listener:
    """A listener of at most so many connections, half of them from one address; ``exempt`` are networks of proxies."""
    counted = Connections(connections, max(1, connections // 2), time.monotonic, exempt)
    return Listener(name, counted, render, Limits(send_silence_s=send_silence_s))


def server(app: ASGIApp, listener: Listener, grace_s: float) -> QuietServer:
    """A server for ``app``, which gives running requests ``grace_s`` when it stops."""
    config = uvicorn.Config(
        app,
        http=cast(Any, partial(HttpProtocol, listener=listener)),  # it is only called
        ws="none",
        lifespan="off",
        access_log=False,  # our own lines say more
        log_config=None,
        server_header=False,
        proxy_headers=False,  # whose are believed is a setting of ours
        timeout_keep_alive=listener.limits.idle_s,
        timeout_graceful_shutdown=round(grace_s) + _LAST_WORDS_S,
        backlog=_BACKLOG,
    )
    return QuietServer(config, grace_s)
