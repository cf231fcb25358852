"""Which URLs a webhook can have, as far as the text of one says it."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

import httpx

from pinfold.core.address_policy import leads_inside
from pinfold.core.errors import AddressRefused, InvalidInput

MAX_URL_CHARACTERS: Final = 2048
_HOST: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*")  # a name, or an IPv6 address


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
        seen_by_client = httpx.URL(url).raw_host.decode()  # refuses what could not be sent
    except (ValueError, httpx.InvalidURL) as exc:
        raise InvalidInput("the URL cannot be read") from exc
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidInput("the URL must begin with https:// or http:// and name a host")
    if parts.username is not None or parts.password is not None:
        # It would stand in lists and logs; who sends is proved by the signature.
        raise InvalidInput("the URL must not hold a user name or a password")
    if parts.fragment:
        raise InvalidInput("the URL must not have a fragment: it would not be sent")
    if not _HOST.fullmatch(host) or seen_by_client != host:
        # Also what two readers of URLs understand in two ways.
        raise InvalidInput(f"{host[:253]} is no host: a name, an IPv4 address, or an IPv6 one in brackets")
    if not allow_private and leads_inside(host):
        raise AddressRefused(
            f"{host} is not an address of the public internet",
            hint="The operator can allow private addresses of webhooks with PINFOLD_ALLOW_PRIVATE_WEBHOOKS=true.",
        )
    return url
