"""The delegates that the Pinning Service API must name: who will receive the data.

This node takes content over HTTP and speaks no libp2p, while the specification wants at least one multiaddr that ends
in a peer's id.  So it is told where the gateway is, with an id that is made of that address: well-formed, always the
same, and nobody's, so that a client that dials it over libp2p gets nowhere, as the specification lets it.
"""

from __future__ import annotations

import hashlib
from ipaddress import ip_address
from typing import Final

import httpx

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ED25519_KEY: Final = bytes.fromhex("08011220")  # the protobuf head of a public key of 32 bytes
_IDENTITY: Final = bytes.fromhex("0024")  # multihash: the identity of 36 bytes
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def delegate_of(url: str) -> str:
    """The multiaddr of an HTTP address.  Raises: ValueError for one without a host."""
    parsed = httpx.URL(url)
    if parsed.scheme not in _DEFAULT_PORTS or not parsed.host:
        raise ValueError(f"{url!r} is no HTTP address")
    port = parsed.port or _DEFAULT_PORTS[parsed.scheme]
    transport = "tls/http" if parsed.scheme == "https" else "http"
    host = f"{_kind(parsed.host)}/{parsed.host}"
    return f"/{host}/tcp/{port}/{transport}/p2p/{_peer_id(f'{parsed.host}:{port}')}"


def _kind(host: str) -> str:
    try:
        return f"ip{ip_address(host).version}"
    except ValueError:
        return "dns"


def _peer_id(place: str) -> str:
    key = hashlib.sha256(b"pinfold delegate " + place.encode()).digest()
    number = int.from_bytes(_IDENTITY + _ED25519_KEY + key, "big")
    text = ""
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        text = _ALPHABET[digit] + text
    return "1" + text  # for the zero byte that the number does not show
