"""Calls: what is sent, and how answers and refusals come back."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

from pinfold.client import Login, Server
from pinfold.core.errors import FetchFailed, PinfoldError, QuotaExceeded

Handler = Callable[[httpx.Request], httpx.Response]


def server(handler: Handler) -> Server:
    return Server(Login("http://pin.test", "pf_secret"), transport=httpx.MockTransport(handler))


def refusing(status: int, **fields: str) -> Handler:
    return lambda request: httpx.Response(status, json={"success": False, **fields})


def test_the_token_goes_along() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer pf_secret"
        assert str(request.url) == "http://pin.test/api/v1/me"
        return httpx.Response(200, json={"success": True, "data": {"name": "owner"}})

    with server(answer) as api:
        assert api.me() == {"name": "owner"}


def test_a_refusal_is_the_error_that_the_server_raised() -> None:
    with server(refusing(403, error="full", code="QUOTA_EXCEEDED", hint="remove something")) as api:
        with pytest.raises(QuotaExceeded, match="full") as raised:
            api.me()
    assert raised.value.hint == "remove something"


def test_a_code_of_a_newer_server_is_still_a_sentence() -> None:
    with server(refusing(400, error="no tea", code="TEAPOT")) as api:
        with pytest.raises(PinfoldError, match="no tea"):
            api.me()


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(502, text="Bad Gateway"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"success": True}),
        httpx.Response(302, headers={"Location": "http://elsewhere.test"}),
    ],
    ids=str,
)
def test_what_no_pinfold_answers_is_said(response: httpx.Response) -> None:
    with server(lambda request: response) as api:
        with pytest.raises(FetchFailed, match="no Pinfold does"):
            api.me()


def test_a_server_that_is_away_is_said() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with server(away) as api:
        with pytest.raises(FetchFailed, match=r"pin\.test cannot be reached: refused"):
            api.me()


def test_lists_go_on_by_cursor_to_their_end() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        cursor = request.url.params.get("cursor")
        assert request.url.params["status"] == "pinned"
        assert "name" not in request.url.params
        following = {None: "one", "one": "two"}.get(cursor)
        return httpx.Response(
            200, json={"success": True, "data": [{"cid": str(cursor)}], "pagination": {"next_cursor": following}}
        )

    with server(answer) as api:
        assert [row["cid"] for row in api.pins({"status": "pinned", "name": None})] == ["None", "one", "two"]


def test_a_car_is_sent_with_its_length_and_questions() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Content-Length"] == "6"
        assert "Transfer-Encoding" not in request.headers
        assert request.url.params.get_list("tags") == ["a", "b"]
        assert request.read() == b"abcdef"
        return httpx.Response(201, json={"success": True, "data": {"id": "1"}})

    with server(answer) as api:
        assert api.upload_car(iter([b"abc", b"def"]), 6, {"tags": ["a", "b"]}) == [{"id": "1"}]


def test_names_cannot_leave_their_place_in_a_path() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.raw_path == b"/api/v1/files/..%2Fpins%3Fx"
        return httpx.Response(200, json={"success": True, "data": {}})

    with server(answer) as api:
        api.delete_file("../pins?x")


def test_a_body_is_json() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert json.loads(request.read()) == {"root": "r", "cids": ["a"]}
        return httpx.Response(200, json={"success": True, "data": {"missing": ["a"]}})

    with server(answer) as api:
        assert api.missing(["a"], root="r") == ["a"]


def test_who_signs_in_sends_no_token_and_gets_one() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert "Authorization" not in request.headers
        assert (request.method, request.url.path) == ("POST", "/api/v1/sessions")
        assert json.loads(request.content) == {"email": "eve@pin.test", "password": "secret", "organisation": ""}
        return httpx.Response(201, json={"success": True, "data": {"token": "pf_session"}})

    with Server(Login("http://pin.test", ""), transport=httpx.MockTransport(answer)) as api:
        assert api.sign_in("eve@pin.test", "secret") == "pf_session"


@pytest.mark.parametrize("data", [{}, {"token": ""}, {"token": 7}])
def test_a_session_without_a_token_is_none(data: dict[str, object]) -> None:
    with server(lambda request: httpx.Response(201, json={"success": True, "data": data})) as api:
        with pytest.raises(FetchFailed, match="gave no session"):
            api.accept_invitation("pfi_x", "Eve", "secret")
