"""Which IP addresses belong to the public internet: what a stranger may make this server connect to.

``ipaddress.is_global`` alone does not say it: it lets multicast through, and looks at an IPv6 address as one, though
some of them are IPv4 addresses in disguise and lead to those.  Nor does a host have to look like an address to be one:
resolvers take ``2130706433`` and ``0x7f.1`` for ``127.0.0.1``.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: a translator in the network connects to the last four bytes
_UNICAST: Final = IPv6Network("2000::/3")  # all that is given out of IPv6 (RFC 4291); everything else is special
_REFUSED_6: Final = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # RFC 2928, protocol assignments; Teredo among them, which hides an IPv4 address
        "2001:db8::/32",  # RFC 3849, documentation
        "2002::/16",  # RFC 3056, 6to4: hides an IPv4 address, and nobody's server lives there any more
        "3fff::/20",  # RFC 9637, documentation
    )
)
_REFUSED_4: Final = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # RFC 1122, "this network": connects to this host
        "10.0.0.0/8",  # RFC 1918
        "100.64.0.0/10",  # RFC 6598, behind a carrier's NAT
        "127.0.0.0/8",  # RFC 1122, this host
        "169.254.0.0/16",  # RFC 3927, link-local; the metadata services of clouds answer here
        "172.16.0.0/12",  # RFC 1918
        "192.0.0.0/24",  # RFC 6890, protocol assignments
        "192.0.2.0/24",  # RFC 5737, documentation
        "192.31.196.0/24",  # RFC 7535, AS112
        "192.52.193.0/24",  # RFC 7450, AMT
        "192.88.99.0/24",  # RFC 7526, 6to4 relays
        "192.168.0.0/16",  # RFC 1918
        "192.175.48.0/24",  # RFC 7534, AS112
        "198.18.0.0/15",  # RFC 2544, benchmarks
        "198.51.100.0/24",  # RFC 5737, documentation
        "203.0.113.0/24",  # RFC 5737, documentation
        "224.0.0.0/4",  # RFC 5771, multicast
        "240.0.0.0/4",  # RFC 1112, reserved; broadcast
    )
)
_REFUSED_HOSTS: Final = frozenset({IPv4Address("168.63.129.16")})  # Azure's host agent, on a public address
_LOCAL_NAMES: Final = ("localhost", "ip6-localhost", "ip6-loopback")  # the last two: Debian's /etc/hosts
_LOCAL_DOMAINS: Final = (".localhost", ".localdomain", ".local", ".internal", ".home.arpa")  # RFC 6761, 6762, 8375
_NUMBER: Final = re.compile(r"0x[0-9a-f]*|[0-9]+")
_MOST_DIGITS: Final = 400  # a label has 63; nobody is to have us read longer numbers


def is_public(ip: str) -> bool:
    """Whether a literal address, IPv4 or IPv6, is one of the public internet; False for what is no address.

    An IPv6 address that stands for an IPv4 one (mapped, NAT64) is judged by that; other disguises are refused.
    """
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        if address.ipv4_mapped is not None:
            return _is_public_4(address.ipv4_mapped)
        if address in _NAT64:
            return _is_public_4(IPv4Address(address.packed[-4:]))
        return address in _UNICAST and address.is_global and not any(address in network for network in _REFUSED_6)
    return _is_public_4(address)


def _is_public_4(address: IPv4Address) -> bool:
    return address.is_global and address not in _REFUSED_HOSTS and not any(address in network for network in _REFUSED_4)


def leads_inside(host: str) -> bool:
    """Whether a host, as a URL spells it, is known without asking a resolver to be none of the public internet.

    Names of this machine and of private networks are; addresses are judged in every spelling that resolvers take,
    and what ends in a number and is no address is refused as well.  Of any other name only its resolver can tell.
    Source:  WHATWG URL, "ends in a number" and the IPv4 parser.
    """
    name = host.lower().strip("[]").rstrip(".")
    if name in _LOCAL_NAMES or name.endswith(_LOCAL_DOMAINS):
        return True
    if ":" in name:
        return not is_public(name)
    if not _NUMBER.fullmatch(name.rpartition(".")[2]):
        return False
    address = _ip4_of(name)
    return address is None or not _is_public_4(address)


def _ip4_of(name: str) -> IPv4Address | None:
    """One to four numbers, each decimal, octal or hexadecimal; the last fills all bytes that are left."""
    parts = name.split(".")
    if len(parts) > 4 or len(name) > _MOST_DIGITS or not all(map(_NUMBER.fullmatch, parts)):
        return None
    try:
        *first, last = (int(part[2:] or "0", 16) if part[:2] == "0x" else _decimal_or_octal(part) for part in parts)
    except ValueError:
        return None
    if any(number > 255 for number in first) or last >= 256 ** (5 - len(parts)):
        return None
    return IPv4Address(sum(number << (24 - 8 * at) for at, number in enumerate(first)) + last)


def _decimal_or_octal(part: str) -> int:
    return int(part, 8 if part[0] == "0" else 10)
