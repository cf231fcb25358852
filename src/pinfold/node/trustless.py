"""Single blocks from trustless gateways: whatever comes back counts only when it matches its CID."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, NoReturn

import httpx

from pinfold.core.block import MAX_BLOCK_BYTES, Block
from pinfold.core.cid import CID
from pinfold.core.errors import BlockCorrupt, FetchFailed, InvalidInput, PinfoldError
from pinfold.version import __version__

_TIMEOUT_S: Final = 15.0  # to connect, and between two pieces; a gateway may search the network first
_DEADLINE_TIMEOUTS: Final = 4  # so many timeouts a block may take in all: one byte at a time is no way out
_MAX_REDIRECTS: Final = 5
_MAX_FAILURES: Final = 3  # so often in a row a gateway may not answer at all before nobody asks it again
_SCHEMES: Final = ("http", "https")
_HEADERS: Final = {
    "accept": "application/vnd.ipld.raw",
    "accept-encoding": "identity",  # a block is small, and a compressed one could grow to any size
    "user-agent": f"pinfold/{__version__}",
}


class _Gateway:
    def __init__(self, url: httpx.URL) -> None:
        self.url = str(url).rstrip("/")
        self.name = str(url.copy_with(userinfo=b""))  # what a message may say of it
        self.failures = 0


class TrustlessClient:
    """Asks several gateways in turn.  Use it as a context manager."""

    def __init__(self, urls: Sequence[str], *, timeout_s: float = _TIMEOUT_S) -> None:
        """Gateways by their address, such as ``http://127.0.0.1:8080``.  Raises: InvalidInput."""
        self._gateways = [_Gateway(_checked(url)) for url in urls]
        if not self._gateways:
            raise InvalidInput("no gateway to fetch from was given")
        self._deadline_s = timeout_s * _DEADLINE_TIMEOUTS
        self._client = httpx.Client(timeout=timeout_s, headers=_HEADERS, follow_redirects=False)

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def __enter__(self) -> TrustlessClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def block(self, cid: CID) -> Block:
        """A block, hashed, from the first gateway that has it.  Raises: FetchFailed, which says what each one did."""
        said: list[str] = []
        for gateway in self._gateways:
            if gateway.failures >= _MAX_FAILURES:
                said.append(f"{gateway.name} did not answer {_MAX_FAILURES} times and is asked no more")
                continue
            try:
                block = Block.verified(cid, self._get(f"{gateway.url}/ipfs/{cid}?format=raw"))
            except httpx.TransportError as exc:
                gateway.failures += 1
                said.append(f"{gateway.name}: {str(exc) or type(exc).__name__}")
            except BlockCorrupt:
                said.append(f"{gateway.name} sent other bytes")
            except (PinfoldError, httpx.HTTPError, httpx.InvalidURL) as exc:
                said.append(f"{gateway.name}: {exc}")
            else:
                gateway.failures = 0
                return block
        raise FetchFailed(f"block {cid} could not be fetched: {'; '.join(said)}")

    def _get(self, url: str) -> bytes:
        deadline = time.monotonic() + self._deadline_s
        for _ in range(_MAX_REDIRECTS + 1):
            with self._client.stream("GET", url) as response:
                if response.is_redirect:
                    url = _next(response)
                    continue
                if response.status_code != httpx.codes.OK:
                    raise FetchFailed(f"it answered {response.status_code} {response.reason_phrase}".rstrip())
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise FetchFailed("it compressed what was to be sent as it is")
                return _body(response, deadline)
        raise FetchFailed(f"more than {_MAX_REDIRECTS} redirects")


def _checked(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as exc:
        raise InvalidInput(f"{text!r} is no address of a gateway: {exc}") from None
    if url.scheme not in _SCHEMES or not url.host or url.query or url.fragment:
        raise InvalidInput(f"{text!r} is no address of a gateway; one looks like http://127.0.0.1:8080")
    return url


def _next(response: httpx.Response) -> str:
    """Where a redirect leads: to HTTP only, and not out of TLS."""
    request = response.next_request
    if request is None:
        _refuse_redirect("nowhere")
    url = request.url
    if url.scheme not in _SCHEMES or (response.url.scheme == "https" and url.scheme != "https"):
        _refuse_redirect(str(url))
    return str(url)


def _refuse_redirect(where: str) -> NoReturn:
    raise FetchFailed(f"it redirected to {where}")


def _body(response: httpx.Response, deadline: float) -> bytes:
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
