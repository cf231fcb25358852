"""Single blocks from trustless gateways: whatever comes back counts only when it matches its CID."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final

import httpx

from pinfold.core.block import Block
from pinfold.core.cid import CID
from pinfold.core.errors import BlockCorrupt, FetchFailed, InvalidInput, PinfoldError
from pinfold.node.gateway_http import HEADERS, RAW_BLOCK, block_body, gateway_url, get, shown

_TIMEOUT_S: Final = 15.0  # to connect, and between two pieces; a gateway may search the network first
_DEADLINE_TIMEOUTS: Final = 4  # so many timeouts a block may take in all: one byte at a time is no way out
_MAX_FAILURES: Final = 3  # so often in a row a gateway may not answer at all before nobody asks it again
_HEADERS: Final = {**HEADERS, "accept": RAW_BLOCK}


class _Gateway:
    def __init__(self, url: httpx.URL) -> None:
        self.url = str(url).rstrip("/")
        self.name = shown(url)  # what a message may say of it
        self.failures = 0


class TrustlessClient:
    """Asks several gateways in turn.  Use it as a context manager."""

    def __init__(self, urls: Sequence[str], *, timeout_s: float = _TIMEOUT_S) -> None:
        """Gateways by their address, such as ``http://127.0.0.1:8080``.  Raises: InvalidInput."""
        self._gateways = [_Gateway(gateway_url(url)) for url in urls]
        if not self._gateways:
            raise InvalidInput("no gateway to fetch from was given")
        self._deadline_s = timeout_s * _DEADLINE_TIMEOUTS
        self._client = httpx.Client(timeout=timeout_s)

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
        with get(self._client, url, _HEADERS) as response:
            if response.status_code != httpx.codes.OK:
                raise FetchFailed(f"it answered {response.status_code} {response.reason_phrase}".rstrip())
            return block_body(response, deadline)
