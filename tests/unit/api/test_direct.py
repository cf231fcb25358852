"""What goes straight to an endpoint is answered as the framework would have answered it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from pinfold.api import application
from pinfold.api.direct import Direct, _Endpoint
from tests.support.platform import platform, run

CID = "bafkreieu7kssc4cfequph2r4a4zm4sll7hzsn46l2thih4cboior2ejmxy"
JSON = {"Content-Type": "application/json"}

# What is sent, by whom, and the status that comes; each both ways.
REQUESTS: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/ping", {}, 200),
    ("GET", "/api/v1/pins", {}, 200),
    ("GET", "/api/v1/pins?limit=5&status=pinned&status=failed", {}, 200),
    ("GET", "/api/v1/pins?limit=5&unknown=1", {}, 400),
    ("GET", "/api/v1/pins?limit=5&limit=7", {}, 400),
    ("GET", "/api/v1/pins?limit=5&limit=5", {"headers": {"Authorization": "Bearer nobody"}}, 401),
    ("GET", "/api/v1/pins?limit=many", {}, 422),
    ("GET", "/api/v1/pins?limit=0", {}, 422),
    ("GET", "/api/v1/pins?limit=", {}, 422),
    ("GET", "/api/v1/pins?status=lost", {}, 422),
    ("GET", "/api/v1/pins?status=pinned,failed&status=queued", {}, 200),
    ("GET", "/api/v1/pins?status=pinned,lost", {}, 422),
    ("GET", "/api/v1/pins?status=pinned,", {}, 422),
    ("GET", "/api/v1/files?status=pinned,failed", {}, 200),
    ("GET", "/api/v1/pins?name=%ff", {}, 200),
    ("GET", "/api/v1/pins?name=", {}, 200),
    ("GET", "/api/v1/pins?before=2026-01-31T12:00:00", {}, 422),
    ("GET", "/api/v1/pins?" + "&".join(f"cid={n}" for n in range(150)), {}, 422),
    ("GET", "/api/v1/pins?" + "&".join(f"cid={n}" for n in range(300)), {}, 400),
    ("GET", "/api/v1/pins?page=2&cursor=x", {}, 400),
    ("GET", "/api/v1/pins", {"headers": {"Authorization": "Bearer nobody"}}, 401),
    ("GET", "/api/v1/pins", {"headers": {"Authorization": "Basic bm8="}}, 401),
    ("GET", "/api/v1/pins/", {}, 200),
    ("POST", "/api/v1/files/upload/?x=1", {}, 400),
    ("GET", f"/api/v1/pins/{CID}", {}, 404),
    ("GET", "/api/v1/pins/no-cid", {}, 400),
    ("GET", "/api/v1/pins/" + "x" * 600, {}, 422),
    ("GET", "/api/v1/nothing", {}, 404),
    ("PUT", "/api/v1/pins", {}, 405),
    ("HEAD", "/api/v1/pins", {}, 200),
    ("HEAD", "/api/v1/pins/no-cid", {}, 400),
    ("HEAD", "/api/v1/nothing", {}, 404),
    ("POST", "/api/v1/pins", {}, 422),
    ("POST", "/api/v1/pins", {"json": {"cid": "no-cid"}}, 400),
    ("POST", "/api/v1/pins", {"json": {"name": "x"}}, 422),
    ("POST", "/api/v1/pins", {"json": []}, 422),
    ("POST", "/api/v1/pins", {"content": b"{", "headers": JSON}, 422),
    ("POST", "/api/v1/pins", {"content": b"[" * 15_000, "headers": JSON}, 400),
    ("POST", "/api/v1/pins", {"content": json.dumps({"cid": CID}).encode()}, 415),
    ("POST", "/api/v1/pins", {"content": b" " * 70_000, "headers": JSON}, 413),
    ("POST", "/api/v1/pins/no-cid", {}, 400),
    ("POST", "/api/v1/pins/no-cid", {"json": None, "headers": JSON}, 400),
    ("DELETE", f"/api/v1/pins/{CID}", {}, 404),
    ("GET", "/psa/pins", {}, 200),
    ("GET", "/psa/pins?limit=2000", {}, 400),
    ("GET", "/psa/pins?meta=x", {}, 400),
    ("GET", "/psa/pins?meta%5Bapp%5D=x", {}, 200),
    ("GET", "/psa/pins?page=1", {}, 400),
    ("POST", "/psa/pins", {"json": {}}, 400),
    ("GET", "/psa/pins", {"headers": {"Authorization": "Bearer nobody"}}, 401),
    ("GET", "/api/v1/audit?limit=1", {}, 200),
    ("GET", "/api/v1/usage", {}, 200),
    ("GET", "/api/v1/files/missing", {}, 405),
    ("POST", "/api/v1/files/missing", {"json": {"cids": [CID]}}, 200),
    ("POST", "/api/v1/sessions", {"json": {"email": "nobody@example.com", "password": "wrong wrong"}}, 401),
]


def said(answer: httpx.Response) -> tuple[int, Any, Any]:
    """What an answer says, without what differs each time."""
    headers = {name: answer.headers.get(name) for name in ("content-type", "allow", "location", "www-authenticate")}
    body = answer.text.replace(answer.headers["x-request-id"], "ID")
    return answer.status_code, headers, body


def direct_of(app: Any) -> tuple[Any, Direct]:
    """The dispatcher of plain requests, and the application right above it."""
    above, below = app, app._app
    while not isinstance(below, Direct):
        above, below = below, below._app
    return above, below


def test_an_answer_is_the_same_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            above, direct = direct_of(at.api_app)
            monkeypatch.setattr(_Endpoint, "of", lambda route: None)
            framework = Direct(direct._api, [route for router in application._ROUTERS for route in router.routes])
            for method, path, sent, status in REQUESTS:
                straight = await at.api.request(method, path, **sent)
                above._app = framework
                assert said(straight) == said(await at.api.request(method, path, **sent)), (method, path)
                assert straight.status_code == status, (method, path)
                above._app = direct

    run(go())


def test_a_plain_request_does_not_meet_the_framework(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            direct: Any = direct_of(at.api_app)[1]
            met: list[str] = []
            framework: ASGIApp = direct._api

            async def note(scope: Scope, receive: Receive, send: Send) -> None:
                met.append(scope["path"])
                await framework(scope, receive, send)

            direct._api, note.state = note, framework.state  # type: ignore[attr-defined]  # as the application has it
            for path in ("/api/v1/pins?limit=1", "/psa/pins", "/api/v1/files", f"/api/v1/pins/{CID}"):
                assert (await at.api.get(path)).status_code in (200, 404)
            assert (await at.api.post("/api/v1/pins", json={"cid": CID})).status_code == 202
            assert met == []
            await at.api.get("/api/v1/pins?limit=none")
            assert met == ["/api/v1/pins"]

    run(go())


def test_only_uploads_and_metrics_declare_more_than_is_known() -> None:
    others = {
        route.path
        for router in application._ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and _Endpoint.of(route) is None
    }
    uploads = {"/api/v1/files/upload", "/api/v1/files/car", "/api/v1/files/{id}"}
    assert others == uploads | {"/api/v1/files/tus", "/api/v1/files/tus/{id}", "/metrics"}


def test_no_path_with_a_parameter_hides_one_that_is_spelled_out() -> None:
    routes = [route for router in application._ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    for place, route in enumerate(routes):
        if not route.param_convertors:
            for other in routes[:place]:
                hides = other.param_convertors and other.path_regex.match(route.path)
                assert not (hides and (other.methods or set()) & (route.methods or set())), (other.path, route.path)
