"""HTTP load from this process: keep-alive connections on bare protocols, so that the server is what is measured.

One core of it asks for some 15,000 small answers a second, ten times what is expected of one API process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.measure import BenchFailed

WARM_UP = 200  # requests before the clock starts, so that caches and statements are there


@dataclass(frozen=True, slots=True)
class Load:
    """What came of many requests."""

    seconds: float
    latencies_s: list[float]
    """Sorted."""

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return len(self.latencies_s) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """The latency that so many of all requests were at least as quick as."""
        at = min(len(self.latencies_s) - 1, int(len(self.latencies_s) * percent / 100))
        return self.latencies_s[at] * 1000


def request_bytes(url: str, token: str, *, method: str = "GET", body: bytes = b"") -> bytes:
    """A request as it goes over the wire."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc}", f"Authorization: Bearer {token}"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def load(addresses: list[tuple[str, int]], requests: Iterable[bytes], connections: int) -> Load:
    """Send every request once, over ``connections`` to each address in turn, each when the answer before is there.

    Raises:  BenchFailed at an answer of 400 or more.
    """
    return asyncio.run(_load(addresses, requests, connections))


async def _load(addresses: list[tuple[str, int]], requests: Iterable[bytes], connections: int) -> Load:
    loop = asyncio.get_running_loop()
    left, latencies = iter(requests), list[float]()
    clients = []
    for number in range(connections):
        host, port = addresses[number % len(addresses)]
        _, client = await loop.create_connection(lambda: _Client(left, latencies.append), host, port)
        clients.append(client)
    began = time.perf_counter()
    for client in clients:
        client.next()
    await asyncio.gather(*(client.done for client in clients))
    seconds = time.perf_counter() - began
    return Load(seconds, sorted(latencies))


class _Client(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, requests: Iterable[bytes], seen: Callable[[float], None]) -> None:
        self._requests = iter(requests)
        self._seen = seen
        self._received = b""
        self._sent_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def next(self) -> None:
        """Send the next request, where there is one."""
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            if not self.done.done():
                self.done.set_result(None)
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        length = int(lowered[at + 15 :].partition(b"\r\n")[0]) if at >= 0 else 0
        if len(body) < length:
            return
        self._received = b""
        self._seen(time.perf_counter() - self._sent_at)
        if head[9:10] not in (b"2", b"3"):
            self.done.set_exception(BenchFailed(f"an answer was {head[:60]!r}: {body[:300]!r}"))
            self._transport.close()
            return
        self.next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(BenchFailed(f"a connection was closed by the server: {error}"))
