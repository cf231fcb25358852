"""How trustless gateways are spoken to: addresses that are taken, redirects that are followed, bodies with an end."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NoReturn

import httpx

from pinfold.core.block import MAX_BLOCK_BYTES
from pinfold.core.errors import FetchFailed, InvalidInput
from pinfold.version import __version__

RAW_BLOCK: Final = "application/vnd.ipld.raw"
MAX_REDIRECTS: Final = 5
HEADERS: Final = {
    "accept-encoding": "identity",  # a block is small, and a compressed one could grow to any size
    "user-agent": f"pinfold/{__version__}",
}
_SCHEMES: Final = ("http", "https")


def gateway_url(text: str) -> httpx.URL:
    """The address of a gateway or router.  Raises: InvalidInput."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as exc:
        why = "" if "@" in text else f": {exc}"  # it quotes parts, of a password too
        raise InvalidInput(f"{_without_credentials(text)!r} is no address of a gateway{why}") from None
    if url.scheme not in _SCHEMES or not url.host or url.query or url.fragment:
        raise InvalidInput(
            f"{_without_credentials(text)!r} is no address of a gateway; one looks like http://127.0.0.1:8080"
        )
    return url


def _without_credentials(text: str) -> str:
    """A text that may be no URL, without what stands before an ``@``."""
    return re.sub(r"^([A-Za-z][A-Za-z0-9+.-]*://)?.*@", r"\1", text, flags=re.DOTALL)


def shown(url: httpx.URL) -> str:
    """An address as a message may show it: without credentials."""
    return str(url.copy_with(userinfo=b""))


@contextmanager
def get(client: httpx.Client, url: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
    """What a GET answers in the end, its body not read yet, after at most five redirects.

    A redirect leads to HTTP only, and not out of TLS.

    Raises:  FetchFailed for a redirect that is not followed; httpx's errors.
    """
    for _ in range(MAX_REDIRECTS + 1):
        with client.stream("GET", url, headers=headers, follow_redirects=False) as response:
            if not response.is_redirect:
                yield response
                return
            url = _next(response)
    raise FetchFailed(f"more than {MAX_REDIRECTS} redirects")


def block_body(response: httpx.Response, deadline: float) -> bytes:
    """The body of an answer that is to be one block.

    Units:   ``deadline`` is a time of ``time.monotonic``.
    Raises:  FetchFailed where it is no block's, httpx's errors (ReadTimeout behind the deadline).
    """
    if response.headers.get("content-encoding", "identity") != "identity":
        raise FetchFailed("it compressed what was to be sent as it is")
    parts: list[bytes] = []
    size = 0
    for piece in response.iter_raw():
        parts.append(piece)
        size += len(piece)
        if size > MAX_BLOCK_BYTES:
            raise FetchFailed(f"it sent more than the {MAX_BLOCK_BYTES:,} bytes that a block may have")
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("it was too slow")
    return b"".join(parts)


def _next(response: httpx.Response) -> str:
    request = response.next_request
    if request is None:
        _refuse_redirect("nowhere")
    url = request.url
    if url.scheme not in _SCHEMES or (response.url.scheme == "https" and url.scheme != "https"):
        _refuse_redirect(shown(url))
    return str(url)


def _refuse_redirect(where: str) -> NoReturn:
    raise FetchFailed(f"it redirected to {where}")
