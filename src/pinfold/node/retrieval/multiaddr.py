"""Multiaddrs that speak of HTTP, as URLs: ``/dns4/example.com/tcp/443/tls/http`` is ``https://example.com``.

Source:  the multiaddr table of protocols; the `http-path` component.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NoReturn
from urllib.parse import quote, unquote

from pinfold.core.errors import InvalidInput

_MAX_CHARACTERS: Final = 1000
_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SECURE: Final = {("http",): "http", ("https",): "https", ("tls", "http"): "https"}


def http_url(multiaddr: str) -> str:
    """The URL that an HTTP multiaddr means, without a slash at its end.

    Raises:  InvalidInput, with what is spoken there instead, or what cannot be read.
    """
    if len(multiaddr) > _MAX_CHARACTERS:
        raise InvalidInput(f"an address of {len(multiaddr):,} characters is none")
    parts = multiaddr.split("/")
    if parts[0] != "" or len(parts) < 3:
        _refuse(multiaddr, "is no multiaddr; one looks like /dns4/example.com/tcp/443/https")
    parts = parts[1:-1] if parts[-1] == "" else parts[1:]
    if len(parts) < 4 or parts[2] != "tcp":
        _refuse(multiaddr, "is not an HTTP address, and only HTTP is spoken here")
    host = _host(multiaddr, parts[0], parts[1])
    if not _PORT.fullmatch(parts[3]) or int(parts[3]) > 65_535:
        _refuse(multiaddr, "has no valid port")
    scheme, rest = _scheme(multiaddr, parts[1], parts[4:])
    port = "" if int(parts[3]) == _DEFAULT_PORTS[scheme] else f":{int(parts[3])}"
    return f"{scheme}://{host}{port}{_path(multiaddr, rest)}"


def _host(multiaddr: str, kind: str, text: str) -> str:
    try:
        if kind == "ip4":
            return str(IPv4Address(text))
        if kind == "ip6":
            if "%" in text:
                _refuse(multiaddr, "has a zone, which means something on another machine only")
            return f"[{IPv6Address(text)}]"
    except ValueError:
        _refuse(multiaddr, "has no valid address")
    if kind not in ("dns", "dns4", "dns6"):
        _refuse(multiaddr, "is not an HTTP address, and only HTTP is spoken here")
    if len(text) > 253 or not _NAME.fullmatch(text):
        _refuse(multiaddr, "has no valid host name")
    return text.rstrip(".").lower()


def _scheme(multiaddr: str, host: str, rest: list[str]) -> tuple[str, list[str]]:
    """``http`` or ``https``, and what comes behind."""
    if rest[:2] == ["tls", "sni"] and len(rest) > 2:
        if rest[2].lower() != host.lower():
            _refuse(multiaddr, "asks for a TLS name that is not its host, which is not supported")
        rest = ["tls", *rest[3:]]
    for words, scheme in _SECURE.items():
        if tuple(rest[: len(words)]) == words:
            return scheme, rest[len(words) :]
    _refuse(multiaddr, "is not an HTTP address, and only HTTP is spoken here")


def _path(multiaddr: str, rest: list[str]) -> str:
    path = ""
    if rest[:1] == ["http-path"] and len(rest) > 1:
        plain = unquote(rest[1]).strip("/")
        if any(part in (".", "..") for part in plain.split("/")):
            _refuse(multiaddr, "has a path that climbs")
        path, rest = f"/{quote(plain)}" if plain else "", rest[2:]
    if rest and not (rest[0] == "p2p" and len(rest) == 2):  # a peer's id: over HTTP nobody proves to have it
        _refuse(multiaddr, f"goes on with /{rest[0]}, which is not supported")
    return path


def _refuse(multiaddr: str, why: str) -> NoReturn:
    shown = multiaddr if len(multiaddr) <= 100 else multiaddr[:80] + "…"
    raise InvalidInput(f"{shown} {why}")
