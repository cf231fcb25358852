from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy.orm import Session

from pinfold.api import cursors
from pinfold.db import changes
from pinfold.db.changes import SYSTEM
from pinfold.services.accounts import Scope
from pinfold.services.clock import utc_now
from pinfold.services.webhooks import EventKind
from tests.support.platform import Platform, platform, run

HOOKS = "/api/v1/webhooks"
WISH = {"url": "https://receiver.invalid/hooks", "description": "tests", "events": ["pin.failed"]}


def refused(response: httpx.Response, status: int, code: str) -> str:
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    assert (body["success"], body["code"]) == (False, code)
    assert body["request_id"] == response.headers["x-request-id"]
    return str(body["error"])


def data(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    assert response.json()["success"] is True
    return response.json()["data"]


async def tell(at: Platform, api: httpx.AsyncClient, kind: str = "pin.failed", **payload: Any) -> None:
    """An event of the organisation of ``api``."""
    webhook = data(await api.get(HOOKS))[0]["id"]

    def query(session: Session) -> None:
        from pinfold.db import webhooks

        row = webhooks.by_id(session, webhook)
        assert row is not None
        changes.begin_for(session, row.organisation_id, SYSTEM, utc_now()).tell(kind, payload)

    await at.database.everybody.write(query)


def test_a_webhook_is_made_changed_and_deleted_and_its_secret_shown_once(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            made = data(await at.api.post(HOOKS, json=WISH), 201)
            assert made["secret"].startswith("whsec_")
            del made["secret"]
            assert {name: made[name] for name in WISH} == WISH
            assert (made["status"], made["disabled_because"], made["failing_since"]) == ("active", None, None)
            one = f"{HOOKS}/{made['id']}"
            assert data(await at.api.get(one)) == made
            listed = await at.api.get(HOOKS)
            assert data(listed) == [made]
            assert listed.json()["pagination"]["total"] == 1
            changed = data(await at.api.patch(one, json={"events": [], "status": "disabled"}))
            assert (changed["events"], changed["status"], changed["url"]) == ([], "disabled", WISH["url"])
            rotated = data(await at.api.post(f"{one}/rotate"))
            assert rotated["secret"].startswith("whsec_")
            assert data(await at.api.delete(one)) == {"id": made["id"]}
            refused(await at.api.get(one), 404, "RECORD_NOT_FOUND")
            assert data(await at.api.get(HOOKS)) == []

    run(go())


@pytest.mark.parametrize(
    ("wish", "status", "code"),
    [
        ({"url": "http://127.0.0.1/"}, 400, "ADDRESS_REFUSED"),
        ({"url": "gopher://x/"}, 400, "INVALID_INPUT"),
        ({**WISH, "events": ["pin.nothing"]}, 400, "INVALID_INPUT"),
        ({**WISH, "events": "all"}, 422, "INVALID_PARAMETER"),
        ({**WISH, "more": 1}, 422, "INVALID_PARAMETER"),
        ({**WISH, "description": "x" * 501}, 422, "INVALID_PARAMETER"),
        ({}, 422, "INVALID_PARAMETER"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_with_a_sentence(
    tmp_path: Path, wish: dict[str, Any], status: int, code: str
) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            assert refused(await at.api.post(HOOKS, json=wish), status, code)
            assert data(await at.api.get(HOOKS)) == []

    run(go())


def test_private_addresses_are_taken_where_a_setting_allows_them(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, allow_private_webhooks=True) as at:
            data(await at.api.post(HOOKS, json={"url": "http://127.0.0.1:9/"}), 201)

    run(go())


def test_kinds_are_listed_with_what_they_mean(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            kinds = data(await at.api.get(f"{HOOKS}/kinds"))
            assert [one["kind"] for one in kinds] == list(EventKind)
            assert all(one["meaning"] for one in kinds)

    run(go())


def test_events_and_deliveries_are_listed_by_cursor(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            made = data(await at.api.post(HOOKS, json={**WISH, "events": []}), 201)
            for number in range(5):
                await tell(at, at.api, "pin.failed" if number % 2 else "file.created", number=number)
            for path in (f"{HOOKS}/events", f"{HOOKS}/{made['id']}/deliveries"):
                ids: list[str] = []
                cursor: str | None = ""
                while cursor is not None:
                    page = await at.api.get(path, params={"limit": 2, **({"cursor": cursor} if cursor else {})})
                    ids += [one["id"] for one in data(page)]
                    pagination = page.json()["pagination"]
                    assert (pagination["total"], pagination["total_is_exact"], pagination["page"]) == (5, True, None)
                    cursor = pagination["next_cursor"]
                assert len(set(ids)) == len(ids) == 5
            events = data(await at.api.get(f"{HOOKS}/events", params={"kind": "pin.failed"}))
            assert [one["data"]["number"] for one in events] == [3, 1]
            assert {one["type"] for one in events} == {"pin.failed"}
            (last, *_) = data(await at.api.get(f"{HOOKS}/{made['id']}/deliveries"))
            assert (
                data(await at.api.get(f"{HOOKS}/{made['id']}/deliveries/{last['id']}"))["event_id"] == last["event_id"]
            )

    run(go())


@pytest.mark.parametrize("cursor", ["x", "!!!!", "W10", "WyJhIl0", "Wy0xXQ", "WzFlOTld", "W3RydWVd", "x" * 1000])
def test_a_cursor_that_is_none_is_refused(tmp_path: Path, cursor: str) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            refused(await at.api.get(f"{HOOKS}/events", params={"cursor": cursor}), 400, "INVALID_INPUT")

    run(go())


def test_a_cursor_comes_back_as_it_went() -> None:
    assert cursors.decode(cursors.encode(7, "ß/+", None), int, str, type(None)) == [7, "ß/+", None]
    assert cursors.decode_number(cursors.encode(7)) == 7
    assert cursors.decode_number(None) is None


def test_a_test_and_a_resend_are_on_their_way_at_once(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            one = f"{HOOKS}/{data(await at.api.post(HOOKS, json=WISH), 201)['id']}"
            tested = data(await at.api.post(f"{one}/test"), 202)
            assert tested["event_kind"] == "webhook.test"
            again = data(await at.api.post(f"{one}/deliveries/{tested['id']}/resend"), 202)
            assert again["event_id"] == tested["event_id"]
            assert again["id"] != tested["id"]
            data(await at.api.patch(one, json={"status": "disabled"}))
            refused(await at.api.post(f"{one}/test"), 409, "RECORD_CONFLICT")

    run(go())


def test_reading_and_writing_need_their_scopes_and_another_tenant_finds_nothing(
    tmp_path: Path, database_url: str
) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            made = data(await at.api.post(HOOKS, json=WISH), 201)["id"]
            delivery = data(await at.api.post(f"{HOOKS}/{made}/test"), 202)["id"]
            reads = ["", "/kinds", "/events", f"/{made}", f"/{made}/deliveries", f"/{made}/deliveries/{delivery}"]
            writes = [
                ("POST", "", WISH),
                ("PATCH", f"/{made}", {}),
                ("DELETE", f"/{made}", None),
                ("POST", f"/{made}/rotate", None),
                ("POST", f"/{made}/test", None),
                ("POST", f"/{made}/deliveries/{delivery}/resend", None),
            ]
            reader = await at.client(await at.token_for(Scope.WEBHOOKS_READ))
            writer = await at.client(await at.token_for(Scope.WEBHOOKS_WRITE))
            nobody, other = await at.client(None), await at.tenant("other")
            for path in reads:
                assert (await reader.get(HOOKS + path)).status_code == 200
                refused(await writer.get(HOOKS + path), 403, "FORBIDDEN")
                refused(await nobody.get(HOOKS + path), 401, "UNAUTHORISED")
            for path in reads[3:]:
                refused(await other.get(HOOKS + path), 404, "RECORD_NOT_FOUND")
            for method, path, body in writes:
                refused(await reader.request(method, HOOKS + path, json=body), 403, "FORBIDDEN")
                refused(await nobody.request(method, HOOKS + path, json=body), 401, "UNAUTHORISED")
                if path:
                    refused(await other.request(method, HOOKS + path, json=body), 404, "RECORD_NOT_FOUND")
            assert data(await other.get(HOOKS)) == data(await other.get(f"{HOOKS}/events")) == []

    run(go())


def test_what_is_no_id_is_refused_and_an_unknown_one_is_not_found(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            refused(await at.api.get(f"{HOOKS}/1"), 422, "INVALID_PARAMETER")
            refused(await at.api.get(f"{HOOKS}/{uuid4()}"), 404, "RECORD_NOT_FOUND")

    run(go())
