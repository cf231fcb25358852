"""Who may call what: every endpoint there is, tried with every kind of token that must not get in.

The list comes from the program, so an endpoint without a rule, or one that nobody has said here how to try on what
belongs to somebody else, makes a test fail.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from pinfold.db.models import (
    BackgroundJobRow,
    InvitationRow,
    MembershipRow,
    OrganisationRow,
    TokenRow,
    UserRow,
    WebhookDeliveryRow,
    WebhookEventRow,
)
from pinfold.services.accounts import Scope
from tests.support.endpoints import Endpoint, endpoints
from tests.support.platform import Platform, platform, run
from tests.support.tenants import EVERY_TENANT_SCOPE, make_organisation, make_token

MARK: Final = "of-nobody-but-ada"
"""Stands in the name of everything that the first tenant has."""
FAR: Final = datetime(2999, 1, 1, tzinfo=UTC)
ALL: Final = endpoints()
GUARDED: Final = [one for one in ALL if one.authenticates]

OPEN: Final = {
    "GET /": "leads to the description",
    "GET /docs": "the description",
    "GET /ping": "a sign of life",
    "GET /health": "for whoever watches the server",
    "GET /ready": "for load balancers",
    "GET /metrics": "by a setting of its own",
    "POST /api/v1/sessions": "takes a password",
    "POST /api/v1/sign-up": "takes a setting",
    "POST /api/v1/invitations/accept": "takes an invitation",
    "OPTIONS /api/v1/files/tus": "says which protocol is spoken, before there is a token",
}
OF_ONESELF: Final = {
    "DELETE /api/v1/sessions": "ends the token itself",
    "GET /api/v1/me": "tells about the token itself",
    "PATCH /api/v1/users/me": "takes somebody who is signed in",
    "POST /api/v1/tokens": "org:admin, or one's own when signed in",
    "GET /api/v1/tokens": "org:admin, or one's own when signed in",
    "GET /api/v1/tokens/{id}": "org:admin, or one's own when signed in",
    "DELETE /api/v1/tokens/{id}": "org:admin, or one's own when signed in",
}
KEYED_BY_CONTENT: Final = {
    "POST /api/v1/pins/{id}": "anybody may ask for any CID, and gets a request of their own",
    "PUT /api/v1/files/{id}": "a name of one's own",
}
PATHS: Final = {
    "/api/v1/files/tus/{id}": "tus",
    "/api/v1/files/{id}": "file",
    "/api/v1/pins/{cid}": "cid",
    "/api/v1/pins/{id}": "pin",
    "/psa/pins/{requestid}": "pin",
    "/api/v1/webhooks/{webhook_id}": "webhook",
    "/api/v1/tokens/{id}": "token",
    "/api/v1/organisation/members/{id}": "member",
    "/api/v1/organisation/invitations/{id}": "invitation",
    "/api/v1/projects/{id}": "project",
    "/api/v1/jobs/{id}": "job",
    "/api/v1/admin/organisations/{id}": "organisation",
    "/api/v1/admin/users/{id}": "member",
    "/api/v1/admin/plans/{name}": "plan",
}
"""What of the other tenant stands in a path; longer ones begin with these."""


@dataclass
class Theirs:
    """The first tenant: a client of theirs, and the ids of what is theirs."""

    client: httpx.AsyncClient
    ids: dict[str, str] = field(default_factory=dict)

    def path(self, endpoint: Endpoint) -> str:
        """The endpoint's path with their ids in it."""
        filled = endpoint.path.replace("{delivery_id}", self.ids["delivery"])
        for prefix, noun in PATHS.items():
            noun = {"POST /api/v1/pins/{id}": "cid", "PUT /api/v1/files/{id}": "name"}.get(str(endpoint), noun)
            if endpoint.path == prefix or endpoint.path.startswith(prefix + "/"):
                return re.sub(r"\{\w+\}", self.ids[noun], filled)
        assert "{" not in filled, f"{endpoint}: say in PATHS what of another tenant belongs there"
        return filled

    def body(self, endpoint: Endpoint) -> dict[str, Any] | None:
        """A body that would do, with their ids where it names records."""
        ids, name = self.ids, {"name": "mine"}
        files, pins = {"ids": [ids["file"]]}, {"ids": [ids["pin"]]}
        known: dict[str, dict[str, Any]] = {
            "POST /api/v1/files/missing": {"cids": [ids["cid"]]},
            "POST /api/v1/files/batch/delete": files,
            "POST /api/v1/files/batch/tag": {**files, "add": ["mine"]},
            "PATCH /api/v1/files/{id}": name,
            "POST /api/v1/pins/bulk/add": {"pins": [{"cid": ids["cid"]}]},
            "POST /api/v1/pins/bulk/remove": pins,
            "POST /api/v1/pins/bulk/renew": {**pins, "expires_at": FAR.isoformat()},
            "POST /api/v1/pins": {"cid": ids["cid"]},
            "POST /api/v1/pins/{id}": name,
            "PATCH /api/v1/pins/{id}": name,
            "POST /psa/pins": {"cid": ids["cid"]},
            "POST /psa/pins/{requestid}": {"cid": ids["cid"]},
            "POST /api/v1/webhooks": {"url": "http://127.0.0.1/private-and-so-refused"},
            "PATCH /api/v1/webhooks/{webhook_id}": {"description": "mine"},
            "POST /api/v1/usage/would-free": files,
            "PATCH /api/v1/users/me": name,
            "POST /api/v1/tokens": {**name, "scopes": ["files:read"]},
            "PATCH /api/v1/organisation": name,
            "PATCH /api/v1/organisation/members/{id}": {"role": "viewer"},
            "POST /api/v1/organisation/invitations": {"email": "eve@example.org"},
            "POST /api/v1/projects": {**name, "team": []},
            "PATCH /api/v1/projects/{id}": name,
            "POST /api/v1/admin/organisations": name,
            "PATCH /api/v1/admin/organisations/{id}": name,
            "POST /api/v1/admin/organisations/{id}/invitations": {"email": "eve@example.org"},
            "POST /api/v1/admin/users": {**name, "email": "eve@example.org"},
            "PATCH /api/v1/admin/users/{id}": {"status": "disabled"},
            "PUT /api/v1/admin/plans/{name}": {},
        }
        return known.get(str(endpoint))

    async def snapshot(self) -> dict[str, Any]:
        """All that the tenant sees of what is theirs."""
        seen: dict[str, Any] = {}
        ids = self.ids
        for path in (
            "files?limit=100",
            "pins?limit=100",
            "webhooks",
            f"webhooks/{ids['webhook']}/deliveries",
            "tokens?limit=100",
            "organisation",
            "organisation/members",
            "organisation/invitations",
            "projects",
            "audit?limit=100",
        ):
            response = await self.client.get(f"/api/v1/{path}")
            assert response.status_code == 200, response.text
            seen[path] = json.loads(re.sub(r'"last_used_at":("[^"]*"|null)', '"last_used_at":null', response.text))
        tus = await self.client.head(f"/api/v1/files/tus/{ids['tus']}", headers={"Tus-Resumable": "1.0.0"})
        seen["tus"] = (tus.status_code, tus.headers.get("upload-offset"))
        return seen


async def theirs(at: Platform) -> Theirs:
    """The first tenant with one of everything."""
    organisation_id = at.database.everybody.write_now(make_organisation, MARK)
    client = await at.tenant(MARK)
    owner = Theirs(client, {"organisation": organisation_id, "plan": "free", "name": "mine.bin"})

    async def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = await client.post(f"/api/v1/{path}", json=body)
        assert response.is_success, response.text
        data: dict[str, Any] = response.json()["data"]
        return data

    uploaded = await client.post("/api/v1/files/upload", files={"file": (f"{MARK}.txt", MARK.encode())})
    assert uploaded.is_success, uploaded.text
    file = uploaded.json()["data"]
    owner.ids |= {"file": file["id"], "cid": file["cid"]}
    owner.ids["pin"] = (await post("pins", {"cid": file["cid"], "name": MARK}))["id"]
    owner.ids["project"] = (await post("projects", {"name": MARK}))["id"]
    owner.ids["invitation"] = (await post("organisation/invitations", {"email": f"{MARK}@example.org"}))["id"]
    owner.ids["token"] = (await post("tokens", {"name": MARK, "scopes": ["files:read"]}))["id"]
    owner.ids["webhook"] = (await post("webhooks", {"url": f"https://example.org/{MARK}", "events": ["pin.failed"]}))[
        "id"
    ]
    begun = await client.post(
        "/api/v1/files/tus", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "10", "Content-Length": "0"}
    )
    assert begun.status_code == 201, begun.text
    owner.ids["tus"] = begun.headers["location"].rpartition("/")[2]

    def insert(session: Session) -> tuple[str, str, str]:
        now = datetime.now(UTC)
        user = UserRow(email=f"{MARK}@example.com", name=MARK, created_at=now, updated_at=now)
        event = WebhookEventRow(kind="pin.failed", payload={"name": MARK}, created_at=now)
        session.add_all([user, event])
        session.flush()
        session.add(MembershipRow(user_id=user.id, role="owner", created_at=now))
        delivery = WebhookDeliveryRow(webhook_id=owner.ids["webhook"], event_id=event.id, due_at=FAR, created_at=now)
        job = BackgroundJobRow(
            kind="files.similar", status="done", due_at=FAR, created_at=now, result={MARK: MARK}, finished_at=now
        )
        session.add_all([delivery, job])
        session.flush()
        return user.id, delivery.id, job.id

    owner.ids["member"], owner.ids["delivery"], owner.ids["job"] = at.database.of(organisation_id).write_now(insert)
    await _until_pinned(client, owner.ids["pin"])
    return owner


async def _until_pinned(client: httpx.AsyncClient, pin_id: str) -> None:
    async with asyncio.timeout(10):
        while (await client.get(f"/api/v1/pins/{pin_id}")).json()["data"]["pinStatus"] != "pinned":
            await asyncio.sleep(0.01)


def headers(endpoint: Endpoint, token: str | None) -> dict[str, str]:
    more = {} if token is None else {"Authorization": f"Bearer {token}"}
    if "/tus" in endpoint.path:
        more |= {"Tus-Resumable": "1.0.0"}
        if endpoint.method == "PATCH":
            more |= {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        if endpoint.path.endswith("/tus") and endpoint.method == "POST":
            more |= {"Upload-Length": "3"}
    return more


async def send(at: Platform, endpoint: Endpoint, owner: Theirs, token: str | None) -> httpx.Response:
    """The answer to a request that would do if the token were good for it."""
    client = await at.client(None)
    body = owner.body(endpoint)
    return await client.request(
        endpoint.method, owner.path(endpoint), json=body, headers=headers(endpoint, token), follow_redirects=False
    )


def test_every_endpoint_has_a_rule() -> None:
    without = {str(one) for one in ALL if one.needs is None}
    assert without == OPEN.keys() | OF_ONESELF.keys()
    assert {str(one) for one in ALL if not one.authenticates} == OPEN.keys()


@pytest.fixture
def rules_of(database_url: str, tmp_path: Path) -> Any:
    """A platform on either database, on which strangers may try as often as they like."""
    return lambda: platform(tmp_path, database_url=database_url, anonymous_requests=0)


def test_no_token_that_is_not_good_gets_in_anywhere(rules_of: Any) -> None:
    async def go() -> None:
        async with rules_of() as at:
            owner = await theirs(at)
            before = await owner.snapshot()
            tokens = at.database.everybody.write_now(_bad_tokens)
            let_in = []
            for kind, (token, expected) in tokens.items():
                for endpoint in GUARDED:
                    response = await send(at, endpoint, owner, token)
                    if response.status_code != expected:
                        let_in.append((kind, str(endpoint), response.status_code, response.text))
            assert let_in == []
            assert await owner.snapshot() == before

    run(go())


def _bad_tokens(session: Session) -> dict[str, tuple[str | None, int]]:
    now = datetime.now(UTC)
    place = make_organisation(session, "place")
    suspended = make_organisation(session, "suspended")
    session.execute(update(OrganisationRow).where(OrganisationRow.id == suspended).values(status="suspended"))
    made: dict[str, tuple[str | None, int]] = {
        "none": (None, 401),
        "nonsense": ("pf_" + "x" * 43, 401),
        "of another kind": ("Zm9vOmJhcg==", 401),
        "of a suspended organisation": (make_token(session, suspended, Scope), 403),
    }
    faults: dict[str, dict[str, Any]] = {
        "expired": {"expires_at": now - timedelta(seconds=1)},
        "revoked": {"revoked_at": now},
        "used up": {"uses_left": 0},
        "of a disabled user": {"user_id": _user(session, place, "disabled", "owner")},
        "of somebody who is no member": {"user_id": _user(session, place, "active", None)},
    }
    for kind, values in faults.items():
        token = make_token(session, place, Scope)
        session.flush()
        newest = session.query(TokenRow.id).order_by(TokenRow.created_at.desc(), TokenRow.id.desc()).first()
        assert newest is not None
        session.execute(update(TokenRow).where(TokenRow.id == newest[0]).values(**values))
        made[kind] = (token, 401)
    return made


def _user(session: Session, organisation_id: str, status: str, role: str | None) -> str:
    now = datetime.now(UTC)
    user = UserRow(email=f"{uuid.uuid4()}@example.org", name="x", status=status, created_at=now, updated_at=now)
    session.add(user)
    session.flush()
    if role is not None:
        session.add(MembershipRow(organisation_id=organisation_id, user_id=user.id, role=role, created_at=now))
    return user.id


def test_a_token_with_every_scope_but_one_does_not_get_in_where_that_is_needed(rules_of: Any) -> None:
    async def go() -> None:
        async with rules_of() as at:
            owner = await theirs(at)
            tokens = {
                scope: at.database.everybody.write_now(make_token, owner.ids["organisation"], set(Scope) - {scope})
                for scope in Scope
            }
            before = await owner.snapshot()
            let_in = []
            for endpoint in GUARDED:
                scope = endpoint.needs
                if scope is None and "/tokens" in endpoint.path:
                    scope = Scope.ORG_ADMIN
                if scope is None:
                    continue
                response = await send(at, endpoint, owner, tokens[scope])
                if response.status_code != 403:
                    let_in.append((str(endpoint), response.status_code, response.text))
            assert let_in == []
            assert await owner.snapshot() == before

    run(go())


def test_another_tenant_reaches_nothing_with_a_token_that_is_good_for_everything(rules_of: Any) -> None:
    async def go() -> None:
        async with rules_of() as at:
            owner = await theirs(at)
            before = await owner.snapshot()
            at.database.everybody.write_now(make_organisation, "stranger")
            token = await at.token_for(*EVERY_TENANT_SCOPE, organisation="stranger")
            wrong = []
            for endpoint in sorted(GUARDED, key=lambda one: one.method != "GET"):  # before it has pins of its own
                response = await send(at, endpoint, owner, token)
                said = response.text
                names_theirs = "{" in endpoint.path and str(endpoint) not in KEYED_BY_CONTENT
                if endpoint.needs is Scope.SERVER_ADMIN:
                    is_right = response.status_code == 403
                elif str(endpoint) == "POST /api/v1/files/tus/{id}":
                    is_right = response.status_code == 400  # stands for another method, which no header names here
                elif names_theirs:
                    is_right = response.status_code == 404
                else:
                    is_right = response.status_code < 500
                tells = MARK in said or (response.is_success and any(id in said for id in _secret_ids(owner, endpoint)))
                if not is_right or tells:
                    wrong.append((str(endpoint), response.status_code, said[:300]))
            assert wrong == [], wrong
            assert await owner.snapshot() == before

    run(go())


def _secret_ids(owner: Theirs, endpoint: Endpoint) -> set[str]:
    """Their ids that were not in the request itself: those an answer may repeat."""
    sent = json.dumps(owner.body(endpoint)) + owner.path(endpoint)
    keys = owner.ids.keys() - {"plan", "name", "cid"}
    return {owner.ids[key] for key in keys if owner.ids[key] not in sent}


def test_what_is_stored_for_another_tenant_is_missing_to_whoever_asks(rules_of: Any) -> None:
    async def go() -> None:
        async with rules_of() as at:
            owner = await theirs(at)
            stranger = await at.tenant("stranger")
            ask = {"cids": [owner.ids["cid"]]}
            said = (await stranger.post("/api/v1/files/missing", json=ask)).json()["data"]
            assert said["missing"] == [owner.ids["cid"]]
            said = (await owner.client.post("/api/v1/files/missing", json=ask)).json()["data"]
            assert said["missing"] == []

    run(go())


def test_invitations_are_found_by_nobody_but_whom_they_are_for(rules_of: Any) -> None:
    async def go() -> None:
        async with rules_of() as at:
            owner = await theirs(at)

            def hashes(session: Session) -> list[bytes]:
                return list(
                    session.scalars(InvitationRow.__table__.select().with_only_columns(InvitationRow.token_hash))
                )

            (kept,) = at.database.everybody.read_now(hashes)
            client = await at.client(None)
            for guess in (kept.hex(), owner.ids["invitation"], "pfi_" + "x" * 43):
                answer = {"token": guess, "name": "Eve", "password": "long enough to do"}
                assert (await client.post("/api/v1/invitations/accept", json=answer)).status_code == 401

    run(go())
