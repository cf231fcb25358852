"""Notices a proxy in front of the API that the setting ``trusted_proxies`` does not name.

All its clients then have one address, the proxy's: bad requests of one of them use up the limit of all, and close
sign-in for everyone.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from pinfold.telemetry import fields, logger

log = logger("api")

_PASSED_ON: Final = frozenset({b"x-forwarded-for", b"x-real-ip", b"forwarded"})


class UndeclaredProxy:
    """Wraps the API; warns once where a private address passes on requests of others and is not believed."""

    def __init__(self, app: ASGIApp, trusted: Sequence[str]) -> None:
        self._app = app
        self._trusted = [ip_network(network) for network in trusted]
        self.warning: str | None = None
        """A sentence for whoever runs the server; None while no such proxy was seen."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self.warning is None and scope["type"] == "http":
            self._look(scope)
        await self._app(scope, receive, send)

    def _look(self, scope: Scope) -> None:
        client = scope.get("client")
        if client is None or not any(name in _PASSED_ON for name, _ in scope["headers"]):
            return
        try:
            address = _plain(ip_address(client[0]))
        except ValueError:  # no network address
            return
        # Anybody on the internet can send such a header; a proxy nearly always has a private address or this machine's.
        if not address.is_private or any(address in network for network in self._trusted):
            return
        self.warning = (
            f"requests come through a proxy at {address}, which PINFOLD_TRUSTED_PROXIES does not name: all its clients "
            "share the limits of one address"
        )
        log.warning(self.warning, **{fields.ADDRESS: str(address), fields.SETTING: "trusted_proxies"})


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
