"""Which origins a pin can have, as far as their text says it.

Origins are hints: most nodes name addresses that speak no HTTP, which are kept and passed over.  Refused is only what
can never be meant: what is no multiaddr at all, and what would lead inside this server's network if it were asked.  It
is the same at every door.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NoReturn
from urllib.parse import urlsplit

from pinfold.core.address_policy import leads_inside
from pinfold.core.errors import AddressRefused, InvalidInput
from pinfold.node.retrieval.multiaddr import http_url

# What an address can begin with, of the multiaddr table of protocols.
_FIRST: Final = frozenset(
    [
        *("ip4", "ip6", "ip6zone", "ipcidr", "dns", "dns4", "dns6", "dnsaddr", "unix"),
        *("onion", "onion3", "garlic32", "garlic64", "p2p", "ipfs", "memory"),
    ]
)
_NAMES: Final = frozenset(["dns", "dns4", "dns6", "dnsaddr"])
_PORTS: Final = frozenset(["tcp", "udp", "dccp", "sctp"])
_WITH_A_VALUE: Final = _FIRST | _PORTS | {"sni", "certhash", "http-path"}
_ALONE: Final = frozenset(
    [
        *("quic", "quic-v1", "webtransport", "webrtc", "webrtc-direct", "p2p-circuit", "p2p-webrtc-direct"),
        *("http", "https", "tls", "noise", "ws", "wss", "utp", "udt", "plaintextv2"),
    ]
)
_NAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_-]{1,63})*\.?")
_IP: Final = {"ip4": IPv4Address, "ip6": IPv6Address}


def check_origins(origins: Iterable[str], *, allow_private: bool) -> None:
    """Pass what may be kept as origins of a pin; what a name resolves to is looked at when it is connected to.

    Raises:  InvalidInput, AddressRefused; both say which one it is.
    """
    for origin in origins:
        _check_multiaddr(origin)
        if allow_private:
            continue
        try:
            host = urlsplit(http_url(origin)).hostname or ""
        except InvalidInput:
            continue  # speaks no HTTP, and is never asked
        if leads_inside(host):
            raise AddressRefused(
                f"the origin {_shown(origin)} is not an address of the public internet",
                hint="The operator can allow private origins with PINFOLD_ALLOW_PRIVATE_ORIGINS=true.",
            )


def _check_multiaddr(origin: str) -> None:
    """Read protocols with their values as far as they are known; of those behind an unknown one nobody can say."""
    empty, *parts = origin.removesuffix("/").split("/")
    if empty or len(parts) < 2 or parts[0] not in _FIRST:
        _refuse(origin)
    rest = iter(parts)
    for protocol in rest:
        if protocol in _ALONE:
            continue
        if protocol not in _WITH_A_VALUE or protocol == "unix":  # of a path there is no knowing where it ends
            return
        if not _fits(protocol, next(rest, "")):
            _refuse(origin)


def _fits(protocol: str, value: str) -> bool:
    if protocol in _IP:
        try:
            _IP[protocol](value)
        except ValueError:
            return False
    if protocol in _PORTS:
        return re.fullmatch(r"[0-9]{1,5}", value) is not None and int(value) <= 65_535
    if protocol in _NAMES:
        return len(value) <= 253 and _NAME.fullmatch(value) is not None
    return value != ""


def _refuse(origin: str) -> NoReturn:
    raise InvalidInput(
        f"the origin {_shown(origin)} is no multiaddr", hint="One looks like /dns4/example.com/tcp/443/https."
    )


def _shown(origin: str) -> str:
    return origin if len(origin) <= 100 else f"{origin[:80]}…"
