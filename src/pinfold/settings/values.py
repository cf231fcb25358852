"""Values that settings are written with: addresses, sizes and lists."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, NamedTuple

from pinfold.core.email_address import normal_email
from pinfold.core.errors import InvalidInput

_SIZE_UNITS: Final = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "kib": 1024,
    "mb": 1000**2,
    "mib": 1024**2,
    "gb": 1000**3,
    "gib": 1024**3,
    "tb": 1000**4,
    "tib": 1024**4,
}
OFF: Final = "off"
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


class Address(NamedTuple):
    """Where a server listens; port 0 takes any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address that ``HOST:PORT`` or ``[IPv6]:PORT`` spells.  Raises: ValueError, with a sentence."""
        host, colon, port = text.strip().rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f"write an IPv6 address in brackets, like [::1]:8080, not {text!r}")
        if not colon or not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
            raise ValueError(f"{text!r} is no address; write HOST:PORT, for example 127.0.0.1:8080 or [::1]:8080")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_list(value: object) -> object:
    """The entries of a text that has them between commas or spaces; anything else as it came."""
    return tuple(re.split(r"[,\s]+", value.strip())) if isinstance(value, str) and value.strip() else value or ()


def check_urls(urls: tuple[str, ...]) -> tuple[str, ...]:
    """Addresses of gateways or routers as they came.  Raises: ValueError for one that is none."""
    for url in urls:
        _check_url(url)
    return urls


def parse_routers(value: object) -> object:
    """The URLs of routers, as ``parse_list`` reads them; none for the word ``off``."""
    urls = parse_list(value)
    return () if urls == (OFF,) else urls


def _check_url(url: str) -> None:
    from pinfold.node.gateway_http import gateway_url  # HTTP, which most commands do without

    try:
        gateway_url(url)
    except InvalidInput as exc:
        raise ValueError(str(exc)) from exc


_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}  # which browsers leave out


def parse_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    """Origins as browsers send them, or ``*``.  Raises: ValueError for what is none, with a sentence."""
    found = []
    for given in origins:
        origin = given.lower()
        scheme = origin.partition("://")[0]
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{given!r} is no origin; write scheme://host or scheme://host:port without a path, or *")
        found.append(origin.removesuffix(_DEFAULT_PORTS.get(scheme, ":")))
    return tuple(found)


def parse_size(value: object) -> object:
    """Bytes, where ``value`` is a text like ``100MiB``; anything else as it came.  Raises: ValueError."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None or match[2].lower() not in _SIZE_UNITS:
        raise ValueError(f"{value!r} is no size; write bytes, or a number with KiB, MiB, GiB or TiB")
    return int(float(match[1]) * _SIZE_UNITS[match[2].lower()])


def parse_networks(text: str) -> list[IPv4Network | IPv6Network]:
    """The networks that a text names, an address being one of its own.  Raises: ValueError, with a sentence."""
    return [ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip()]


def parse_email(text: str) -> str:
    """The address in the form in which it is kept.  Raises: ValueError, with a sentence."""
    try:
        return normal_email(text)
    except InvalidInput as exc:
        raise ValueError(str(exc)) from exc
