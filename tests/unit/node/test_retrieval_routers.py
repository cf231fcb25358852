"""What routers answer, and what is made of it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from pinfold.core.cid import CID, DAG_PB
from pinfold.core.errors import FetchFailed
from pinfold.node.retrieval.routers import http_providers, providers
from pinfold.node.retrieval.transfers import Transfers

HTTP = ["transport-bitswap", "transport-ipfs-gateway-http"]
ROOT = CID.of(b"", codec=DAG_PB, version=0)


def peer(*addresses: Any, protocols: Any = HTTP, schema: str = "peer") -> dict[str, Any]:
    return {"Schema": schema, "ID": "12D3KooW", "Addrs": list(addresses), "Protocols": protocols}


GOOD = peer("/ip4/1.1.1.1/udp/4001/quic-v1", "/dns/a.example/tcp/443/https", "/dns/b.example/tcp/443/https")


@pytest.mark.parametrize("lines", [True, False], ids=["ndjson", "json"])
def test_each_provider_that_speaks_http_is_named_once(lines: bool) -> None:
    records = [
        GOOD,
        GOOD,
        peer("/dns/bitswap.example/tcp/443/https", protocols=["transport-bitswap"]),
        peer("/dns/old.example/tcp/443/https", schema="bitswap"),
        peer("/ip4/2.2.2.2/tcp/8080/http"),
    ]
    body = "\n".join(map(json.dumps, records)) if lines else json.dumps({"Providers": records})
    assert http_providers(body.encode()) == ["https://a.example", "http://2.2.2.2:8080"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'{"Providers": null}',
        b'{"Providers": {"a": 1}}',
        b'{"Providers": [1, "x", null, {}]}',
        json.dumps({"Providers": [peer(1, None, {}, []), {**GOOD, "Addrs": "x"}, peer(protocols=None)]}).encode(),
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_what_makes_no_sense_names_nobody(body: bytes) -> None:
    assert http_providers(body) == []


def test_a_cut_off_stream_counts_up_to_where_it_is_whole() -> None:
    line = json.dumps(GOOD).encode()
    assert http_providers(line + b"\n" + line[:30]) == ["https://a.example"]


def test_no_more_than_twenty_are_taken() -> None:
    many = [peer(f"/dns/{number}.example/tcp/443/https") for number in range(100)]
    assert len(http_providers(json.dumps({"Providers": many}).encode())) == 20


def ask(answer: httpx.Response) -> tuple[list[str], httpx.Request]:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer

    with httpx.Client(transport=httpx.MockTransport(handle)) as client:
        found = providers(client, "https://router.example/", ROOT, Transfers(), silent_timeout_s=1)
    return found, seen[0]


def test_a_router_is_asked_by_cid_version_1_for_providers_that_speak_http() -> None:
    found, request = ask(httpx.Response(200, content=iter([json.dumps({"Providers": [GOOD]}).encode()])))
    assert found == ["https://a.example"]
    assert request.url.path == f"/routing/v1/providers/{ROOT.to_v1()}"
    assert request.url.params["filter-protocols"] == "transport-ipfs-gateway-http"
    assert "application/json" in request.headers["accept"]


def test_not_found_is_an_answer_and_an_error_is_none() -> None:
    assert ask(httpx.Response(404))[0] == []
    with pytest.raises(FetchFailed, match="500"):
        ask(httpx.Response(500))


def test_an_answer_without_end_is_read_up_to_a_limit() -> None:
    taken = 0

    def endless() -> Any:
        nonlocal taken
        while True:
            taken += 1
            yield json.dumps(GOOD).encode() + b"\n"

    assert ask(httpx.Response(200, content=endless()))[0] == ["https://a.example"]
    assert taken < 10_000
