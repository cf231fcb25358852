"""Which origins a pin can have, as far as their text says it.

Origins are hints: most nodes name addresses that speak no HTTP, which are kept and passed over.  Refused is only what
can never be meant: what is no multiaddr at all, and what would lead inside this server's network if it were asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Final
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
            raise AddressRefused(f"the origin {_shown(origin)} is not an address of the public internet")


def _check_multiaddr(origin: str) -> None:
    empty, _, rest = origin.partition("/")
    first, _, rest = rest.partition("/")
    value = rest.partition("/")[0]
    is_one = empty == "" and first in _FIRST and value != ""
    if is_one and first in _IP:
        try:
            _IP[first](value)
        except ValueError:
            is_one = False
    if not is_one:
        raise InvalidInput(
            f"the origin {_shown(origin)} is no multiaddr", hint="One looks like /dns4/example.com/tcp/443/https."
        )


def _shown(origin: str) -> str:
    return origin if len(origin) <= 100 else f"{origin[:80]}…"
