from __future__ import annotations

from pathlib import Path

import httpx

from tests.support.platform import platform, run


def test_a_free_plan_has_a_hundred_requests_and_ten_uploads_and_is_told_where_it_stands(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            free = await at.tenant("free", plan="free")
            first = await free.get("/api/v1/me")
            assert first.status_code == 200
            for prefix in ("ratelimit", "x-ratelimit"):
                assert first.headers[f"{prefix}-limit"] == "100"
                assert first.headers[f"{prefix}-remaining"] == "99"
                assert 1 <= int(first.headers[f"{prefix}-reset"]) <= 900
            uploads = [await free.post("/api/v1/files/upload", files={"file": b"x"}) for _ in range(11)]
            assert [one.status_code for one in uploads[:10]] == [201, *[200] * 9]
            refused(uploads[10], "uploads")
            for _ in range(88):
                assert (await free.get("/api/v1/me")).status_code == 200
            refused(await free.get("/api/v1/me"), "requests")
            assert "ratelimit-limit" not in (await at.api.get("/api/v1/me")).headers

    run(go())


def refused(response: httpx.Response, noun: str) -> None:
    assert response.status_code == 429, response.text
    body = response.json()
    assert (body["success"], body["code"]) == (False, "TOO_MANY_REQUESTS")
    assert noun in body["error"]
    assert response.headers["retry-after"] == response.headers["ratelimit-reset"]
    assert response.headers["ratelimit-remaining"] == "0"


def test_more_tokens_and_sessions_give_an_organisation_no_more_requests(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            clients = [await at.tenant("free", plan="free") for _ in range(3)]
            said = [await clients[number % 3].get("/api/v1/me") for number in range(101)]
            assert [one.status_code for one in said[:100]] == [200] * 100
            assert [int(one.headers["ratelimit-remaining"]) for one in said[:100]] == list(reversed(range(100)))
            refused(said[100], "requests")
            assert (await (await at.tenant("another", plan="free")).get("/api/v1/me")).status_code == 200

    run(go())


def test_requests_of_a_suspended_organisation_count_against_their_address(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, anonymous_requests=5) as at:
            tokens = [await at.tenant("acme") for _ in range(2)]
            me = (await tokens[0].get("/api/v1/me")).json()["data"]
            path = f"/api/v1/admin/organisations/{me['organisation_id']}"
            suspended = await at.api.patch(path, json={"status": "suspended"})
            assert suspended.status_code == 200, suspended.text
            said = [await tokens[number % 2].get("/api/v1/me") for number in range(7)]
            assert [one.status_code for one in said] == [403] * 5 + [429] * 2
            refused(said[-1], "requests")
            assert (await at.api.get("/api/v1/me")).status_code == 200

    run(go())


def test_guesses_are_counted_by_address_and_good_tokens_are_not_kept_out_by_them(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, anonymous_requests=5) as at:
            stranger = await at.client("pf_" + "x" * 43)
            nobody = await at.client(None)
            said = [(await (stranger, nobody)[number % 2].get("/api/v1/files")).status_code for number in range(8)]
            assert said == [401] * 5 + [429] * 3
            sign_in = await nobody.post("/api/v1/sessions", json={"email": "a@example.org", "password": "x"})
            refused(sign_in, "requests")
            assert (await nobody.get("/ping")).status_code == 200
            assert (await nobody.get("/health")).status_code == 200
            assert (await at.api.get("/api/v1/files")).status_code == 200

    run(go())


def test_what_a_proxy_says_of_its_clients_is_believed_of_trusted_ones_only(tmp_path: Path) -> None:
    async def address_in_log(name: str, trusted: str) -> str:
        async with platform(tmp_path / name, trusted_proxies=trusted) as at:
            headers = {"X-Forwarded-For": "198.51.100.7, 10.0.0.3"}
            made = await at.api.post("/api/v1/tokens", json={"name": "x", "scopes": ["files:read"]}, headers=headers)
            assert made.status_code == 201
            address: str = (await at.api.get("/api/v1/audit")).json()["data"][0]["address"]
            return address

    async def go() -> None:
        assert await address_in_log("a", "") == "127.0.0.1"
        assert await address_in_log("b", "127.0.0.1") == "10.0.0.3"
        assert await address_in_log("c", "127.0.0.1, 10.0.0.0/8") == "198.51.100.7"
        assert await address_in_log("d", "192.0.2.0/24") == "127.0.0.1"

    run(go())


def test_an_address_that_is_none_is_not_written_down(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, trusted_proxies="127.0.0.1") as at:
            for forged in ("x" * 500, "'; DROP TABLE users; --", "\x7f"):
                made = await at.api.post(
                    "/api/v1/tokens",
                    json={"name": "x", "scopes": ["files:read"]},
                    headers={"X-Forwarded-For": forged},
                )
                assert made.status_code == 201
                assert (await at.api.get("/api/v1/audit")).json()["data"][0]["address"] == ""

    run(go())
