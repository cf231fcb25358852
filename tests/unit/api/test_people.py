"""People, tokens, organisations and the audit log, as their clients see them; both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.platform import Platform, platform, run

SECRET = "correct horse battery"


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Any:
    """The platform on either database."""
    return lambda **settings: platform(tmp_path, database_url=database_url, **settings)


async def data(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    body = response.json()
    assert body["success"] is (status < 400)
    return body["data"]


def refusal(response: httpx.Response, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    assert response.json()["code"] == code


async def join(at: Platform, email: str, role: str) -> tuple[httpx.AsyncClient, dict[str, Any]]:
    """Somebody new, invited and signed in; their client and session."""
    invited = await data(
        await at.api.post("/api/v1/organisation/invitations", json={"email": email, "role": role}), 201
    )
    nobody = await at.client(None)
    answer = {"token": invited["token"], "name": email.split("@")[0], "password": SECRET}
    session = await data(await nobody.post("/api/v1/invitations/accept", json=answer), 201)
    return await at.client(session["token"]), session


def test_an_owner_gives_a_colleague_a_narrower_token_and_takes_it_back(house: Any) -> None:
    async def go() -> None:
        async with house() as at:
            made = await data(
                await at.api.post("/api/v1/tokens", json={"name": "for Ada", "scopes": ["files:read"], "uses": 3}), 201
            )
            assert made["token"].startswith(made["shown_prefix"]) and len(made["shown_prefix"]) < 12
            ada = await at.client(made["token"])
            assert (await ada.get("/api/v1/files")).status_code == 200
            refusal(await ada.post("/api/v1/files/upload", files={"file": b"x"}), 403, "FORBIDDEN")
            listed = await at.api.get("/api/v1/tokens")
            assert "token" not in listed.json()["data"][0]
            assert made["token"] not in listed.text
            seen = await data(await at.api.get(f"/api/v1/tokens/{made['id']}"))
            assert (seen["uses_left"], seen["scopes"]) == (1, ["files:read"])
            await data(await at.api.delete(f"/api/v1/tokens/{made['id']}"))
            refusal(await ada.get("/api/v1/files"), 401, "UNAUTHORISED")
            refusal(await at.api.get(f"/api/v1/tokens/{made['id']}"), 404, "RECORD_NOT_FOUND")

    run(go())


def test_somebody_is_invited_signs_in_out_and_is_removed(house: Any) -> None:
    async def go() -> None:
        async with house() as at:
            ada, session = await join(at, "ada@example.org", "member")
            me = await data(await ada.get("/api/v1/me"))
            assert (me["user"]["email"], me["role"], me["token_kind"]) == ("ada@example.org", "member", "session")
            assert "org:admin" not in me["scopes"]
            refusal(await ada.post("/api/v1/projects", json={"name": "x"}), 403, "FORBIDDEN")
            await data(await ada.patch("/api/v1/users/me", json={"name": "Ada L."}))
            own = await data(await ada.post("/api/v1/tokens", json={"name": "mine", "scopes": ["pins:read"]}), 201)
            assert [one["id"] for one in await data(await ada.get("/api/v1/tokens"))] == [own["id"]]
            await data(await ada.delete("/api/v1/sessions"))
            refusal(await ada.get("/api/v1/me"), 401, "UNAUTHORISED")
            nobody = await at.client(None)
            wrong = {"email": "ada@example.org", "password": "wrong"}
            refusal(await nobody.post("/api/v1/sessions", json=wrong), 401, "UNAUTHORISED")
            right = await data(await nobody.post("/api/v1/sessions", json={**wrong, "password": SECRET}), 201)
            again = await at.client(right["token"])
            members = (await at.api.get("/api/v1/organisation/members")).json()["data"]
            assert {one["name"] for one in members} == {"Administrator", "Ada L."}
            user = session["user_id"]
            changed = await data(await at.api.patch(f"/api/v1/organisation/members/{user}", json={"role": "viewer"}))
            assert changed["role"] == "viewer"
            assert "files:write" not in (await data(await again.get("/api/v1/me")))["scopes"]
            await data(await at.api.delete(f"/api/v1/organisation/members/{user}"))
            refusal(await again.get("/api/v1/me"), 401, "UNAUTHORISED")
            owner = (await data(await at.api.get("/api/v1/me")))["user"]["id"]
            refusal(await at.api.delete(f"/api/v1/organisation/members/{owner}"), 409, "RECORD_CONFLICT")

    run(go())


def test_invitations_are_listed_and_taken_back(house: Any) -> None:
    async def go() -> None:
        async with house() as at:
            ask = {"email": "ada@example.org"}
            made = await data(await at.api.post("/api/v1/organisation/invitations", json=ask), 201)
            listed = await at.api.get("/api/v1/organisation/invitations")
            assert [one["id"] for one in listed.json()["data"]] == [made["id"]]
            assert made["token"] not in listed.text
            await data(await at.api.delete(f"/api/v1/organisation/invitations/{made['id']}"))
            nobody = await at.client(None)
            answer = {"token": made["token"], "name": "Ada", "password": SECRET}
            refusal(await nobody.post("/api/v1/invitations/accept", json=answer), 401, "UNAUTHORISED")
            refusal(
                await at.api.post("/api/v1/organisation/invitations", json={"email": "no one"}), 400, "INVALID_INPUT"
            )

    run(go())


def test_an_organisation_is_renamed_and_has_projects(house: Any) -> None:
    async def go() -> None:
        async with house() as at:
            assert (await data(await at.api.patch("/api/v1/organisation", json={"name": "Ours"})))["name"] == "Ours"
            assert (await data(await at.api.get("/api/v1/organisation")))["slug"] == "default"
            wish = {"name": "website", "starts_on": "2026-02-01"}
            made = await data(await at.api.post("/api/v1/projects", json=wish), 201)
            refusal(await at.api.post("/api/v1/projects", json=wish), 409, "RECORD_CONFLICT")
            path = f"/api/v1/projects/{made['id']}"
            changed = await data(await at.api.patch(path, json={"status": "paused", "starts_on": None}))
            assert (changed["status"], changed["starts_on"], changed["name"]) == ("paused", None, "website")
            assert (await at.api.get("/api/v1/projects?status=active")).json()["pagination"]["total"] == 0
            assert (await data(await at.api.get(path)))["id"] == made["id"]
            await data(await at.api.delete(path))
            refusal(await at.api.get(path), 404, "RECORD_NOT_FOUND")

    run(go())


def test_the_administrator_looks_after_organisations_users_and_plans(house: Any) -> None:
    async def go() -> None:
        async with house() as at:
            admin = "/api/v1/admin"
            plan = await data(await at.api.put(f"{admin}/plans/tiny", json={"quota_files": 1}))
            assert plan in await data(await at.api.get(f"{admin}/plans"))
            plain = await data(await at.api.post(f"{admin}/organisations", json={"name": "Second office"}), 201)
            assert plain["plan"] == "unlimited"
            made = await data(await at.api.post(f"{admin}/organisations", json={"name": "Ada", "plan": "tiny"}), 201)
            invite = f"{admin}/organisations/{made['id']}/invitations"
            ask = {"email": "ada@example.org", "role": "owner"}
            invited = await data(await at.api.post(invite, json=ask), 201)
            nobody = await at.client(None)
            answer = {"token": invited["token"], "name": "Ada", "password": SECRET}
            session = await data(await nobody.post("/api/v1/invitations/accept", json=answer), 201)
            ada = await at.client(session["token"])
            assert (await ada.post("/api/v1/files/upload", files={"file": b"one"})).is_success
            refusal(await ada.post("/api/v1/files/upload", files={"file": b"two"}), 403, "QUOTA_EXCEEDED")
            change = f"{admin}/organisations/{made['id']}"
            await data(await at.api.patch(change, json={"quota_files": 2}))
            assert (await ada.post("/api/v1/files/upload", files={"file": b"two"})).is_success
            me = await data(await ada.get("/api/v1/me"))
            assert (me["quotas"]["files"], me["room"]["files"]) == (2, 0)
            await data(await at.api.patch(change, json={"status": "suspended"}))
            refusal(await ada.get("/api/v1/files"), 403, "FORBIDDEN")
            await data(await at.api.patch(change, json={"status": "active", "quota_files": None}))
            assert (await data(await at.api.get(change)))["quota_files"] is None
            suspended = await at.api.get(f"{admin}/organisations?status=suspended")
            assert suspended.json()["data"] == []
            user = f"{admin}/users/{session['user_id']}"
            await data(await at.api.patch(user, json={"status": "disabled"}))  # though she is the last owner
            refusal(await ada.get("/api/v1/me"), 401, "UNAUTHORISED")
            members = await data(await (await at.tenant("ada")).get("/api/v1/organisation/members"))
            assert [one["status"] for one in members] == ["disabled"]
            second = await data(
                await at.api.post(f"{admin}/users", json={"email": "eve@example.org", "name": "E", "password": SECRET}),
                201,
            )
            other = f"{admin}/users/{second['id']}"
            assert (await data(await at.api.patch(other, json={"status": "disabled"})))["status"] == "disabled"
            assert (await data(await at.api.get(other)))["status"] == "disabled"
            wrong = {"email": "eve@example.org", "password": SECRET}
            refusal(await nobody.post("/api/v1/sessions", json=wrong), 401, "UNAUTHORISED")
            assert (await at.api.get(f"{admin}/users")).json()["pagination"]["total"] == 3

    run(go())


def test_sign_up_takes_a_setting(house: Any) -> None:
    async def go() -> None:
        wish = {"email": "a@example.org", "name": "A", "password": SECRET, "organisation": "A"}
        async with house() as at:
            refusal(await (await at.client(None)).post("/api/v1/sign-up", json=wish), 403, "FORBIDDEN")
            token = at.token
        async with house(sign_up="open", token=token) as at:
            nobody = await at.client(None)
            session = await data(await nobody.post("/api/v1/sign-up", json=wish), 201)
            me = await data(await (await at.client(session["token"])).get("/api/v1/me"))
            assert (me["plan"], me["role"]) == ("free", "owner")
            refusal(await nobody.post("/api/v1/sign-up", json=wish), 409, "RECORD_CONFLICT")

    run(go())


def test_an_admin_reaches_nothing_of_an_owner(house: Any) -> None:
    async def go() -> None:
        async with house() as at:
            owner, of_owner = await join(at, "owner@example.org", "owner")
            admin, of_admin = await join(at, "admin@example.org", "admin")
            session = (await data(await owner.get("/api/v1/me")))["token_id"]
            token = await data(await owner.post("/api/v1/tokens", json={"name": "x", "scopes": ["files:read"]}), 201)
            ask = {"email": "third@example.org", "role": "owner"}
            invited = await data(await owner.post("/api/v1/organisation/invitations", json=ask), 201)
            member = f"/api/v1/organisation/members/{of_owner['user_id']}"
            for method, path, body in (
                ("DELETE", f"/api/v1/tokens/{session}", None),
                ("DELETE", f"/api/v1/tokens/{token['id']}", None),
                ("DELETE", f"/api/v1/organisation/invitations/{invited['id']}", None),
                ("DELETE", member, None),
                ("PATCH", member, {"role": "viewer"}),
                ("PATCH", f"/api/v1/organisation/members/{of_admin['user_id']}", {"role": "owner"}),
                ("POST", "/api/v1/organisation/invitations", {"email": "x@example.org", "role": "owner"}),
                ("PATCH", f"/api/v1/admin/users/{of_owner['user_id']}", {"status": "disabled"}),
                ("PATCH", f"/api/v1/admin/users/{of_owner['user_id']}", {"password": SECRET}),
            ):
                refusal(await admin.request(method, path, json=body), 403, "FORBIDDEN")
            assert (await data(await owner.get("/api/v1/me")))["role"] == "owner"

    run(go())


def test_an_invitation_of_an_organisation_takes_no_free_address_unless_a_setting_says_so(house: Any) -> None:
    async def go() -> None:
        async with house(sign_up="closed") as at:
            thief, _ = await join(at, "thief@example.org", "owner")
            ask = {"email": "victim@example.org"}
            invited = await data(await thief.post("/api/v1/organisation/invitations", json=ask), 201)
            nobody = await at.client(None)
            answer = {"token": invited["token"], "name": "V", "password": SECRET}
            refusal(await nobody.post("/api/v1/invitations/accept", json=answer), 401, "UNAUTHORISED")
            token = at.token
        async with house(sign_up="invited", token=token) as at:
            nobody = await at.client(None)
            await data(await nobody.post("/api/v1/invitations/accept", json=answer), 201)

    run(go())


def test_a_new_password_takes_the_old_one_and_says_so(house: Any) -> None:
    async def go() -> None:
        async with house() as at:
            ada, _ = await join(at, "ada@example.org", "member")
            token = await data(await ada.post("/api/v1/tokens", json={"name": "x", "scopes": ["files:read"]}), 201)
            program = await at.client(token["token"])
            missing = await ada.patch("/api/v1/users/me", json={"password": "another long one"})
            refusal(missing, 400, "INVALID_INPUT")
            assert "current_password" in missing.json()["error"]
            change = {"password": "another long one", "current_password": SECRET}
            await data(await ada.patch("/api/v1/users/me", json=change | {"keep_tokens": True}))
            assert (await program.get("/api/v1/files")).status_code == 200
            back = {"password": SECRET, "current_password": "another long one"}
            await data(await ada.patch("/api/v1/users/me", json=back))
            refusal(await program.get("/api/v1/files"), 401, "UNAUTHORISED")

    run(go())


def test_the_log_is_read_in_pages_and_verified(house: Any) -> None:
    async def go() -> None:
        async with house() as at:
            for number in range(5):
                await data(await at.api.post("/api/v1/projects", json={"name": str(number)}), 201)
            seen: list[int] = []
            cursor: str | None = None
            while True:
                query = {"limit": "2", "action": "project"} | ({"cursor": cursor} if cursor else {})
                response = await at.api.get("/api/v1/audit", params=query)
                seen += [one["number"] for one in await data(response)]
                cursor = response.json()["pagination"]["next_cursor"]
                if cursor is None:
                    break
            assert seen == sorted(seen, reverse=True) and len(seen) == 5
            newest = (await at.api.get("/api/v1/audit", params={"limit": "1"})).json()["data"][0]
            assert newest["action"] == "project.created"
            assert newest["address"] == "127.0.0.1"
            found = await data(await at.api.get("/api/v1/audit/verification"))
            assert (found["is_whole"], found["broken_at"]) == (True, None)
            for bad in ("limit=0", "page=0", "since=yesterday", "action=%00"):
                refusal(await at.api.get(f"/api/v1/audit?{bad}"), 422, "INVALID_PARAMETER")
            for bad in ("x", "WyJ4Il0", "WzE4NDQ2NzQ0MDczNzA5NTUxNjE2XQ", "é"):
                refusal(await at.api.get("/api/v1/audit", params={"cursor": bad}), 400, "INVALID_INPUT")
                refusal(await at.api.get("/api/v1/tokens", params={"cursor": bad}), 400, "INVALID_INPUT")

    run(go())


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "tokens", {"name": "", "scopes": ["files:read"]}),
        ("POST", "tokens", {"name": "x\x00", "scopes": ["files:read"]}),
        ("POST", "tokens", {"name": "x", "scopes": []}),
        ("POST", "tokens", {"name": "x", "scopes": ["root"]}),
        ("POST", "tokens", {"name": "x", "scopes": ["files:read"], "uses": 1 << 40}),
        ("POST", "tokens", {"name": "x", "scopes": ["files:read"], "expires_at": "2026-01-01T00:00:00"}),
        ("POST", "tokens", {"name": "x", "scopes": ["files:read"], "surprise": 1}),
        ("POST", "projects", {"name": "x", "status": "done"}),
        ("PUT", "admin/plans/free", {"quota_bytes": 1 << 63}),
        ("PUT", "admin/plans/UPPER", {}),
        ("PUT", "admin/plans/free", {"window_s": 0}),
        ("POST", "admin/organisations", {"name": "x", "slug": "A b"}),
        ("PATCH", "admin/users/x", {}),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_done(
    tmp_path: Path, method: str, path: str, body: dict[str, Any]
) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            refusal(await at.api.request(method, f"/api/v1/{path}", json=body), 422, "INVALID_PARAMETER")

    run(go())
