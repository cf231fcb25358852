"""Which URLs a webhook can have, as far as the text of one says it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from pinfold.core.address_policy import is_public
from pinfold.core.errors import AddressRefused, InvalidInput

MAX_URL_CHARACTERS: Final = 2048
_LOCAL_NAMES: Final = ("localhost", ".localhost", ".local", ".internal")


def check_url(url: str, *, allow_private: bool) -> str:
    """The URL, once events could be sent there; what its host resolves to is looked at with every connection.

    Raises:  InvalidInput, AddressRefused.
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise InvalidInput(f"the URL is longer than {MAX_URL_CHARACTERS:,} characters")
    if not url.isascii() or any(ord(character) <= 32 or ord(character) == 127 for character in url):
        raise InvalidInput("the URL has characters that URLs do not have; percent-encode them")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as exc:
        raise InvalidInput("the URL cannot be read") from exc
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidInput("the URL must begin with https:// or http:// and name a host")
    if parts.username is not None or parts.password is not None:
        # It would stand in lists and logs; who sends is proved by the signature.
        raise InvalidInput("the URL must not hold a user name or a password")
    if parts.fragment:
        raise InvalidInput("the URL must not have a fragment: it would not be sent")
    if not allow_private:
        _refuse_private(host)
    return url


def _refuse_private(host: str) -> None:
    name = host.lower().rstrip(".")
    if name == _LOCAL_NAMES[0] or name.endswith(_LOCAL_NAMES[1:]):
        raise AddressRefused(f"{host} is not an address of the public internet")
    try:
        literal = str(ip_address(name))
    except ValueError:
        return  # a name: what it leads to is known when it is connected to
    if not is_public(literal):
        raise AddressRefused(f"{host} is not an address of the public internet")
