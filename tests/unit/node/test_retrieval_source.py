"""One source: how it is asked, and when it has had its chance."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest

from pinfold.core.cid import CID
from pinfold.core.errors import FetchFailed
from pinfold.node.retrieval.source import Lacks, Lied, OffersNoCar, Source
from pinfold.node.retrieval.transfers import Transfers

DATA = b"some bytes"
CID_OF_DATA = CID.of(DATA)
NOW = httpx.Request("GET", "http://gateway.example")


def reply(status: int, content: bytes = b"", **headers: str) -> httpx.Response:
    """An answer whose body was not read yet."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, stream=httpx.ByteStream(content))


def source(answer: httpx.Response | Callable[[httpx.Request], httpx.Response]) -> Source:
    handler = answer if callable(answer) else lambda _: answer
    client = httpx.Client(transport=httpx.MockTransport(handler))
    return Source("http://user:pw@gateway.example/", client, silent_timeout_s=1)


def test_a_block_is_asked_for_as_the_trustless_gateway_says() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return reply(200, DATA)

    assert source(answer).block(CID_OF_DATA, Transfers()).data == DATA
    assert seen[0].url.path == f"/ipfs/{CID_OF_DATA}"
    assert seen[0].url.query == b"format=raw"
    assert seen[0].headers["accept"] == "application/vnd.ipld.raw"
    assert seen[0].headers["accept-encoding"] == "identity"
    assert seen[0].headers["authorization"].startswith("Basic ")


def test_a_car_is_asked_for_depth_first_without_repetition() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return reply(200, b"car", content_type="application/vnd.ipld.car; version=1")

    with source(answer).car(CID_OF_DATA, Transfers()) as response:
        assert response.read() == b"car"
    params = seen[0].url.params
    assert (params["format"], params["dag-scope"], params["car-order"], params["car-dups"]) == (
        "car",
        "all",
        "dfs",
        "n",
    )


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (reply(200, b"other bytes"), Lied),
        (reply(404), Lacks),
        (reply(500), Lacks),
        (reply(410), Lacks),
        (reply(429), httpx.HTTPStatusError),
        (reply(503), httpx.HTTPStatusError),
        (reply(200, bytes(2_097_153)), FetchFailed),
        (reply(302, location="file:///etc/passwd"), FetchFailed),
    ],
)
def test_what_is_no_block_says_what_it_is(answer: httpx.Response, error: type[Exception]) -> None:
    with pytest.raises(error):
        source(answer).block(CID_OF_DATA, Transfers())


@pytest.mark.parametrize(
    "answer",
    [
        reply(400),
        reply(406),
        reply(501),
        reply(200, content_type="text/html"),
        reply(200, content_type="application/vnd.ipld.carpet"),
        reply(200, content_type="application/vnd.ipld.car", content_encoding="br"),
    ],
)
def test_a_gateway_without_cars_is_known_by_its_answer(answer: httpx.Response) -> None:
    with pytest.raises(OffersNoCar), source(answer).car(CID_OF_DATA, Transfers()):
        raise AssertionError("that was no CAR")


def test_silence_ends_it_at_once() -> None:
    asked = source(reply(200))
    asked.failed(httpx.ReadTimeout("nothing came"))
    assert "silent" in asked.gone


def test_four_failures_in_a_row_end_it_and_an_answer_in_between_forgives_them() -> None:
    asked = source(reply(200))
    for given in (1, 0):
        for _ in range(3):
            asked.failed(httpx.ConnectError("refused"))
        assert not asked.gone
        asked.gave(given) if given else asked.lacks("404")
    for _ in range(4):
        asked.failed(httpx.ConnectError("refused"))
    assert "4 times" in asked.gone


@pytest.mark.parametrize(
    ("header", "least_s", "most_s"),
    [("0", 0.1, 1), ("3", 2.9, 3.1), ("99999", 9, 10.1), ("soon", 0.1, 1), ("-5", 0.1, 1), ("9" * 400, 0.1, 1)],
)
def test_a_busy_source_rests_as_long_as_it_asked_within_reason(header: str, least_s: float, most_s: float) -> None:
    asked = source(reply(200))
    response = reply(429, retry_after=header)
    asked.failed(httpx.HTTPStatusError("busy", request=NOW, response=response))
    assert least_s <= asked.rest_until - time.monotonic() <= most_s


def test_what_is_told_of_it_has_no_credentials() -> None:
    asked = source(reply(404))
    asked.lacks("it answered 404 Not Found")
    assert asked.story() == "http://gateway.example: it answered 404 Not Found"
