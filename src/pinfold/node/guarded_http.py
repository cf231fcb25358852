"""HTTP clients for addresses that strangers name: the address that was checked is the one that is connected to.

1. A host is resolved once, for each new connection.
2. Unless its every address is public, nothing is connected to.  One private address among public ones is an attempt.
3. The connection is made to an address that was checked, never to the name: what the name resolves to a moment later
   does not matter.  ``Host`` and TLS go on speaking of the name.

This happens below redirects and connection reuse, so that neither goes round it.  Proxies from the environment are not
used: a proxy would resolve names by itself.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection, Iterable, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, NoReturn, TypeAlias

import httpcore
import httpx

from pinfold.core.address_policy import is_public
from pinfold.core.errors import AddressRefused

SocketOptions: TypeAlias = (
    Iterable[tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]] | None
)

_MAX_ADDRESSES: Final = 8  # tried one after the other, each with the whole timeout
_LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=30.0)


def guarded_client(*, allow_private: bool, trusted_hosts: Collection[str] = (), **options: Any) -> httpx.Client:
    """An ``httpx.Client`` that connects to public addresses only.

    ``allow_private`` lets it connect anywhere; ``trusted_hosts`` (names or literal addresses) and hosts below them may
    have any address.  Other options are httpx's; requests raise AddressRefused beside httpx's own errors.
    """
    limits = options.pop("limits", _LIMITS)
    context = options.pop("verify", None) or httpx.create_ssl_context(trust_env=False)
    transport = httpx.HTTPTransport(verify=context)
    # Its pool, which has no connection yet, gives way to one like it whose connections are checked.
    transport._pool = httpcore.ConnectionPool(
        ssl_context=context,
        max_connections=limits.max_connections,
        max_keepalive_connections=limits.max_keepalive_connections,
        keepalive_expiry=limits.keepalive_expiry,
        network_backend=_GuardedBackend(_Guard(allow_private, trusted_hosts)),
    )
    return httpx.Client(transport=transport, trust_env=False, cookies=_no_cookies(), **options)


def guarded_async_client(
    *, allow_private: bool, trusted_hosts: Collection[str] = (), **options: Any
) -> httpx.AsyncClient:
    """The same for asyncio."""
    limits = options.pop("limits", _LIMITS)
    context = options.pop("verify", None) or httpx.create_ssl_context(trust_env=False)
    transport = httpx.AsyncHTTPTransport(verify=context)
    transport._pool = httpcore.AsyncConnectionPool(
        ssl_context=context,
        max_connections=limits.max_connections,
        max_keepalive_connections=limits.max_keepalive_connections,
        keepalive_expiry=limits.keepalive_expiry,
        network_backend=_AsyncGuardedBackend(_Guard(allow_private, trusted_hosts)),
    )
    return httpx.AsyncClient(transport=transport, trust_env=False, cookies=_no_cookies(), **options)


def _no_cookies() -> CookieJar:
    """A jar that takes nothing: a long-lived client is not to carry what strangers put there."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


class _Guard:
    """Says which of a host's addresses may be connected to."""

    def __init__(self, allow_private: bool, trusted_hosts: Collection[str]) -> None:
        self._allow_private = allow_private
        self._trusted = frozenset(host.lower().strip("[]") for host in trusted_hosts)

    def check(self, host: str, addresses: Sequence[str]) -> Sequence[str]:
        """The addresses, once all of them may be connected to.  Raises: AddressRefused."""
        if self._allow_private or self._is_trusted(host):
            return addresses
        for address in addresses:
            if not is_public(address):
                # Never the address: callers would learn what a name of the private network resolves to.
                raise AddressRefused(f"{host} is not an address of the public internet")
        return addresses

    def _is_trusted(self, host: str) -> bool:
        host = host.lower().strip("[]").rstrip(".")
        return host in self._trusted or any(host.endswith(f".{name}") for name in self._trusted if not _is_ip(name))


def _is_ip(text: str) -> bool:
    return text.replace(".", "").isdigit() or ":" in text


def _addresses(found: Sequence[tuple[Any, ...]]) -> list[str]:
    """The literal addresses in what ``getaddrinfo`` gave, each once, in its order."""
    return list(dict.fromkeys(str(row[4][0]) for row in found))[:_MAX_ADDRESSES]


def _unresolved(host: str, exc: Exception) -> NoReturn:
    raise httpcore.ConnectError(f"{host} cannot be resolved: {exc}") from exc


class _GuardedBackend(httpcore.NetworkBackend):
    def __init__(self, guard: _Guard) -> None:
        self._guard = guard
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            _unresolved(host, exc)
        addresses = self._guard.check(host, _addresses(found))
        return _first(
            addresses, lambda address: self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
        )

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: SocketOptions = None
    ) -> httpcore.NetworkStream:
        raise AddressRefused("sockets of this machine are not connected to")

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


def _first(addresses: Sequence[str], connect: Callable[[str], httpcore.NetworkStream]) -> httpcore.NetworkStream:
    for address in addresses[:-1]:
        try:
            return connect(address)
        except (httpcore.ConnectError, httpcore.ConnectTimeout):
            continue
    return connect(addresses[-1])


class _AsyncGuardedBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, guard: _Guard) -> None:
        self._guard = guard
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError as exc:
            raise httpcore.ConnectTimeout(f"{host} could not be resolved in time") from exc
        except (OSError, UnicodeError) as exc:
            _unresolved(host, exc)
        addresses = self._guard.check(host, _addresses(found))
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: SocketOptions = None
    ) -> httpcore.AsyncNetworkStream:
        raise AddressRefused("sockets of this machine are not connected to")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)
