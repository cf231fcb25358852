"""Web pages of allowed origins can use the API from a browser; all others get no CORS header."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinfold.core.errors import InvalidSetting
from pinfold.settings import load
from tests.support.platform import platform, run

APP = "https://app.example"
UPLOAD_ID = "01a22df5-7d50-799a-b8f1-81e27d82ebed"
PREFLIGHTS = [  # path, method, headers that the browser asks for
    (f"/psa/pins/{UPLOAD_ID}", "DELETE", "authorization"),
    ("/psa/pins", "POST", "authorization,content-type"),
    (f"/api/v1/files/tus/{UPLOAD_ID}", "PATCH", "authorization,content-type,tus-resumable,upload-offset"),
    ("/api/v1/files/tus", "POST", "authorization,tus-resumable,upload-length,upload-metadata"),
    ("/api/v1/files/tus/", "POST", "authorization,tus-resumable,upload-length,upload-metadata"),
    ("/api/v1/files/upload", "POST", "authorization"),
    ("/api/v1/files/upload", "POST", "x-of-my-own,x-http-method-override,upload-checksum"),
]
EXPOSED = {
    "location",
    "upload-offset",
    "upload-length",
    "upload-expires",
    "upload-metadata",
    "upload-concat",
    "upload-defer-length",
    "tus-resumable",
    "tus-version",
    "tus-extension",
    "tus-max-size",
    "retry-after",
    "x-request-id",
    "ratelimit-remaining",
}


def preflight(method: str, headers: str, origin: str = APP) -> dict[str, str]:
    return {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}


def listed(header: str) -> set[str]:
    return {one.strip().lower() for one in header.split(",")}


@pytest.mark.parametrize("origins", [APP, f"http://localhost:5173, {APP}", "*"])
def test_a_preflight_is_answered_without_a_token_and_counts_against_no_limit(tmp_path: Path, origins: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, cors_origins=origins, anonymous_requests=2) as at:
            browser = await at.client(None)
            for path, method, headers in PREFLIGHTS:
                answer = await browser.options(path, headers=preflight(method, headers))
                assert answer.status_code == 204, answer.text
                assert answer.headers["access-control-allow-origin"] == ("*" if origins == "*" else APP)
                assert method in answer.headers["access-control-allow-methods"].split(", ")
                assert listed(headers) <= listed(answer.headers["access-control-allow-headers"])
                assert "access-control-allow-credentials" not in answer.headers
                assert not any("ratelimit" in name for name in answer.headers)

    run(go())


def test_answers_and_errors_name_the_origin_and_expose_their_headers(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, cors_origins=APP) as at:
            at.api.headers["Origin"] = APP
            answers = {
                200: await at.api.get("/api/v1/files"),
                201: await at.api.post("/api/v1/files/tus", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "3"}),
                401: await at.api.get("/psa/pins", headers={"Authorization": "Bearer nobody"}),
                404: await at.api.get("/api/v1/nothing"),
                405: await at.api.put("/api/v1/pins"),
                413: await at.api.post("/api/v1/pins", content=b" " * 70_000),
                431: await at.api.get("/ping", headers={"X-Much": "x" * 40_000}),
            }
            for status, answer in answers.items():
                assert answer.status_code == status, answer.text
                assert answer.headers["access-control-allow-origin"] == APP
                assert answer.headers["vary"] == "Origin"
                assert listed(answer.headers["access-control-expose-headers"]) >= EXPOSED

    run(go())


def test_another_origin_gets_no_header_and_its_preflight_is_refused(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, cors_origins=APP) as at:
            for origin in ("https://evil.example", "https://app.example.evil", "http://app.example", "null"):
                refused = await at.api.options("/psa/pins", headers=preflight("POST", "authorization", origin))
                assert (refused.status_code, refused.headers["vary"]) == (403, "Origin")
                assert "cors_origins" in refused.text
                read = await at.api.get("/api/v1/files", headers={"Origin": origin})
                assert read.status_code == 200
                assert not any(name.startswith("access-control") for name in (*refused.headers, *read.headers))
            assert (await at.api.get("/ping")).headers["vary"] == "Origin"  # a cache must not keep it for all origins

    run(go())


def test_without_the_setting_there_is_no_cors_header(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            answers = [await at.api.options(path, headers=preflight(method, "")) for path, method, _ in PREFLIGHTS[:2]]
            answers.append(await at.api.get("/ping", headers={"Origin": APP}))
            assert [answer.status_code for answer in answers] == [405, 405, 200]
            for answer in answers:
                assert not any(name.startswith("access-control") or name == "vary" for name in answer.headers)

    run(go())


def test_metrics_are_closed_to_pages_even_where_all_origins_are_allowed(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, cors_origins="*", metrics_access="anyone") as at:
            answer = await at.api.get("/metrics", headers={"Origin": APP})
            assert answer.status_code == 200
            assert "access-control-allow-origin" not in answer.headers
            asked = await at.api.options("/metrics", headers=preflight("GET", "authorization"))
            assert "access-control-allow-origin" not in asked.headers

    run(go())


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        ("https://app.example http://localhost:5173", ("https://app.example", "http://localhost:5173")),
        ("HTTPS://App.Example:443,http://[::1]:80", ("https://app.example", "http://[::1]")),
        ("tauri://localhost", ("tauri://localhost",)),
        ("*", ("*",)),
        ("", ()),
    ],
)
def test_origins_are_kept_as_browsers_send_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, origins: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PINFOLD_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PINFOLD_CORS_ORIGINS", given)
    assert load().cors_origins == origins


@pytest.mark.parametrize("given", ["app.example", "https://app.example/", "https://*.example", "https://a.example/x"])
def test_what_is_no_origin_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("PINFOLD_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PINFOLD_CORS_ORIGINS", given)
    with pytest.raises(InvalidSetting, match="is no origin"):
        load()
