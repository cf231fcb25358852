"""Everybody whom one retrieval may ask: gateways, origins of the request, providers that routers named."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final

import httpx

from pinfold.core.errors import InvalidInput
from pinfold.node.gateway_http import gateway_url
from pinfold.node.retrieval.model import RetrievalSettings
from pinfold.node.retrieval.multiaddr import http_url
from pinfold.node.retrieval.source import Source

NOBODY: Final = (
    "there is nobody to fetch from: name origins that have it, set PINFOLD_FETCH_FROM to gateways that do, or upload a "
    "CAR of it"
)
NAME_SOMEBODY: Final = "Name origins, or set gateways to fetch from."
_MAX_ORIGINS: Final = 20  # as many as the Pinning Service API lets a request have
_MAX_SOURCES: Final = 50


class Clients:
    """The two ways to connect: to what the operator named, and to what strangers name."""

    def __init__(self, operators: httpx.Client, strangers: httpx.Client) -> None:
        self.operators = operators
        self.strangers = strangers

    def close(self) -> None:
        """Close all connections."""
        self.operators.close()
        self.strangers.close()


class SourcePool:
    """The sources of one retrieval.  Like them, it is used under the retrieval's lock."""

    def __init__(self, settings: RetrievalSettings, clients: Clients, origins: Sequence[str]) -> None:
        self._settings = settings
        self._clients = clients
        self.sources: list[Source] = []
        self.notes: list[str] = []
        """What should be said beside what the sources did."""
        for origin in origins[:_MAX_ORIGINS]:
            try:
                self._add(http_url(origin), clients.strangers)
            except InvalidInput as exc:
                self.notes.append(f"origin {exc}")
        for url in settings.gateways:
            self._add(str(gateway_url(url)), clients.operators)

    def add_providers(self, urls: Iterable[str]) -> bool:
        """Sources that a router named; whether one of them is new."""
        added = [self._add(url, self._clients.strangers) for url in urls]
        return any(added)

    def _add(self, url: str, client: httpx.Client) -> bool:
        if len(self.sources) >= _MAX_SOURCES or any(known.url == url.rstrip("/") for known in self.sources):
            return False
        self.sources.append(Source(url, client, silent_timeout_s=self._settings.silent_timeout_s))
        return True

    @property
    def live(self) -> list[Source]:
        """Those that are still asked."""
        return [source for source in self.sources if not source.gone]

    def ready(self) -> list[Source]:
        """Those that may be asked now: first those that had what they were asked for, and the least busy."""
        now = time.monotonic()
        free = [source for source in self.live if not source.streaming and source.rest_until <= now]
        return sorted(free, key=lambda source: (source.is_poor, source.active))

    def wait_s(self) -> float | None:
        """How long until a source that rests may be asked again; None where none rests."""
        now = time.monotonic()
        rests = [source.rest_until - now for source in self.live if source.rest_until > now]
        return min(rests, default=None)

    def story(self) -> str:
        """What each of them did, for a person."""
        told = [source.story() for source in self.sources] + self.notes
        return "; ".join(told if self.sources else [*told, NOBODY])

    def note(self, text: str) -> None:
        """Have something said once beside what the sources did."""
        if text not in self.notes:
            self.notes.append(text)
