"""One source of blocks, as a retrieval sees it: how it is asked, what its answers mean, and when it has had its chance.

A source never makes bytes into a block: whoever asks it hashes what it sent.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx

from pinfold.core.block import Block
from pinfold.core.cid import CID
from pinfold.core.errors import BlockCorrupt
from pinfold.node import gateway_http
from pinfold.node.retrieval.transfers import Transfers

CAR: Final = "application/vnd.ipld.car"
_RAW_HEADERS: Final = {**gateway_http.HEADERS, "accept": gateway_http.RAW_BLOCK}
_CAR_HEADERS: Final = {**gateway_http.HEADERS, "accept": f"{CAR}; version=1; order=dfs; dups=n"}
_CAR_QUERY: Final = "format=car&dag-scope=all&car-version=1&car-order=dfs&car-dups=n"
_TRICKLE_TIMEOUTS: Final = 4  # so many silences long may one block take: one byte at a time is no way out
_MAX_FAILURES: Final = 4  # in a row; then it is asked no more
_BUSY: Final = frozenset({429, 503})
_MAX_BUSY: Final = 10  # in a row
_FIRST_REST_S: Final = 0.1  # doubled with each failure in a row
_MAX_REST_S: Final = 10.0
_POOR_MISSES: Final = 8  # in a row: others are asked first from then on
_NO_CAR: Final = frozenset({400, 405, 406, 415, 501})
_DRAIN_BYTES: Final = 65_536  # of an error's page: a connection whose answer was read to its end is used again


class Lied(Exception):
    """What came is not what was asked for; nobody who does that is asked again."""


class Lacks(Exception):
    """The source does not have it, or will not give it."""


class OffersNoCar(Exception):
    """The source does not make CARs."""


class Source:
    """One gateway.  Its numbers are the retrieval's to change, under the retrieval's lock."""

    def __init__(self, url: str, client: httpx.Client, *, silent_timeout_s: float) -> None:
        """``url`` was checked; its credentials are sent, and never shown."""
        self.url = url.rstrip("/")
        self.name = gateway_http.shown(httpx.URL(self.url)).rstrip("/")
        self.trickle_s = silent_timeout_s * _TRICKLE_TIMEOUTS
        self._client = client
        self.gone = ""
        """Why it is asked no more in this retrieval."""
        self.last_word = ""
        self.offers_car = True
        self.streaming = False
        self.active = 0
        self.rest_until = 0.0
        self.blocks = 0
        self._failures = 0
        self._misses = 0

    # -- asking ----------------------------------------------------------------------------------------------------

    def block(self, cid: CID, transfers: Transfers) -> Block:
        """One block, hashed.  Raises: Lied, Lacks, FetchFailed, AddressRefused, httpx's errors."""
        deadline = time.monotonic() + self.trickle_s
        url = f"{self.url}/ipfs/{cid}?format=raw"
        with transfers.watch(gateway_http.get(self._client, url, _RAW_HEADERS)) as response:
            self._check_status(response)
            data = gateway_http.block_body(response, deadline)
        try:
            return Block.verified(cid, data)
        except BlockCorrupt:
            raise Lied(f"it sent other bytes for {cid}") from None

    @contextmanager
    def car(self, cid: CID, transfers: Transfers) -> Iterator[httpx.Response]:
        """An answer that streams a CAR of everything below ``cid``.

        Raises:  OffersNoCar, Lacks, FetchFailed, AddressRefused, httpx's errors.
        """
        url = f"{self.url}/ipfs/{cid}?{_CAR_QUERY}"
        with transfers.watch(gateway_http.get(self._client, url, _CAR_HEADERS)) as response:
            if response.status_code in _NO_CAR:
                _drain(response)
                raise OffersNoCar
            self._check_status(response)
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != CAR or response.headers.get("content-encoding", "identity") != "identity":
                raise OffersNoCar
            yield response

    def _check_status(self, response: httpx.Response) -> None:
        status = response.status_code
        if status == httpx.codes.OK:
            return
        _drain(response)
        said = f"it answered {status} {response.reason_phrase}".rstrip()
        if status in _BUSY:
            raise httpx.HTTPStatusError(said, request=response.request, response=response)
        raise Lacks(said)

    # -- what came of it -------------------------------------------------------------------------------------------

    @property
    def is_poor(self) -> bool:
        """Whether it had nothing of what it was asked for lately."""
        return self._misses >= _POOR_MISSES

    def gave(self, blocks: int) -> None:
        """It sent blocks that were wanted."""
        self.blocks += blocks
        self._failures = self._misses = 0

    def lacks(self, said: str) -> None:
        """It does not have one block."""
        self.last_word = said
        self._failures = 0
        self._misses += 1

    def failed(self, exc: httpx.HTTPError) -> None:
        """A request came to nothing: it rests, or is asked no more."""
        said = str(exc) or type(exc).__name__
        if isinstance(exc, httpx.TimeoutException):
            self.drop(f"it was silent for too long ({said})")
            return
        self._failures += 1
        self.last_word = said
        busy = isinstance(exc, httpx.HTTPStatusError)
        if self._failures >= (_MAX_BUSY if busy else _MAX_FAILURES):
            self.drop(f"it failed {self._failures} times in a row ({said})")
            return
        rest_s = min(_FIRST_REST_S * 2**self._failures, _MAX_REST_S)
        if isinstance(exc, httpx.HTTPStatusError):
            asked = exc.response.headers.get("retry-after", "")
            rest_s = max(rest_s, min(float(asked), _MAX_REST_S) if asked.isdecimal() and len(asked) < 6 else 0.0)
        self.rest_until = time.monotonic() + rest_s

    def drop(self, why: str) -> None:
        """Ask it no more in this retrieval."""
        if not self.gone:
            self.gone = why

    def story(self) -> str:
        """What it did, for a person."""
        what = self.gone or self.last_word or ("it gave what it was asked for" if self.blocks else "it was not asked")
        return f"{self.name}: {what}"


def _drain(response: httpx.Response) -> None:
    left = _DRAIN_BYTES
    try:
        for piece in response.iter_raw():
            left -= len(piece)
            if left < 0:
                return
    except httpx.HTTPError:
        return
