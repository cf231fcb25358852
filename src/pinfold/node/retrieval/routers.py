"""Delegated routers: who has a CID and speaks HTTP.

Source:  Delegated Routing V1 HTTP API, `GET /routing/v1/providers/{cid}`; IPIP-484 for the filter.
"""

from __future__ import annotations

import json
import time
from typing import Any, Final

import httpx

from pinfold.core.cid import CID
from pinfold.core.errors import FetchFailed, InvalidInput
from pinfold.node import gateway_http
from pinfold.node.retrieval.multiaddr import http_url
from pinfold.node.retrieval.transfers import Transfers

_TRUSTLESS: Final = "transport-ipfs-gateway-http"
_HEADERS: Final = {**gateway_http.HEADERS, "accept": "application/x-ndjson, application/json;q=0.9"}
_MAX_ANSWER_BYTES: Final = 1 << 20
_MAX_PROVIDERS: Final = 20  # of one answer; more sources would not make it faster
_TIMEOUTS: Final = 2  # so many silences long may an answer take: what came by then counts


def providers(
    client: httpx.Client, router_url: str, cid: CID, transfers: Transfers, *, silent_timeout_s: float
) -> list[str]:
    """URLs of trustless gateways that one router names for a CID, in its order; an empty list where it knows none.

    Raises:  FetchFailed, AddressRefused, httpx's errors.
    """
    url = f"{router_url.rstrip('/')}/routing/v1/providers/{cid.to_v1()}?filter-protocols={_TRUSTLESS}"
    deadline = time.monotonic() + silent_timeout_s * _TIMEOUTS
    with transfers.watch(gateway_http.get(client, url, _HEADERS)) as response:
        if response.status_code == httpx.codes.NOT_FOUND:
            return []
        if response.status_code != httpx.codes.OK:
            raise FetchFailed(f"it answered {response.status_code} {response.reason_phrase}".rstrip())
        body = b""
        for piece in response.iter_raw():
            body += piece
            if len(body) > _MAX_ANSWER_BYTES or time.monotonic() > deadline:
                break
    return http_providers(body)


def http_providers(body: bytes) -> list[str]:
    """URLs in a router's answer, JSON or one JSON object a line; what cannot be read is passed over."""
    urls: dict[str, None] = {}
    for record in _records(body):
        protocols, addresses = record.get("Protocols"), record.get("Addrs")
        if record.get("Schema") != "peer" or not isinstance(protocols, list) or _TRUSTLESS not in protocols:
            continue
        for address in addresses if isinstance(addresses, list) else ():
            try:
                urls[http_url(str(address))] = None
            except InvalidInput:
                continue
            break  # the other addresses lead to the same provider
    return list(urls)[:_MAX_PROVIDERS]


def _records(body: bytes) -> list[dict[str, Any]]:
    whole = _parsed(body)
    if isinstance(whole, dict) and "Providers" in whole:
        found = whole["Providers"]
        return [record for record in found if isinstance(record, dict)] if isinstance(found, list) else []
    lines = [_parsed(line) for line in body.splitlines()]
    return [record for record in lines if isinstance(record, dict)]


def _parsed(text: bytes) -> Any:
    """What JSON says; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
