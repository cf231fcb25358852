"""What counts as one client, told by its network address."""

from __future__ import annotations

import ipaddress


def client_network(address: str) -> str:
    """The address, or its /64 with IPv6, of which a subscriber has all; any other text as it is, cut short."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
