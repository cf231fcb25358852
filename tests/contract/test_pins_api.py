"""Every endpoint of pins in version 1 of the API, on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest

from pinfold.core.cid import CID
from pinfold.core.multihash import IDENTITY
from tests.support.platform import Platform, platform, run

Play = Callable[[Callable[[Platform], Coroutine[Any, Any, None]]], None]
NOWHERE = str(CID.of(b"nobody has this"))
PINS = "/api/v1/pins"


@pytest.fixture
def play(tmp_path: Path, database_url: str) -> Play:
    """Runs a test's coroutine on a fresh platform."""

    def go(story: Callable[[Platform], Coroutine[Any, Any, None]]) -> None:
        async def tell() -> None:
            async with platform(tmp_path, database_url=database_url) as on:
                await story(on)

        run(tell())

    return go


def inline(text: str) -> str:
    """A CID that carries its content, which is therefore here."""
    return str(CID.of(text.encode(), hash_code=IDENTITY))


def data(response: httpx.Response, status: int = 200) -> Any:
    """What an answer holds."""
    assert response.status_code == status, response.text
    return response.json()["data"]


def code(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    body = response.json()
    assert body["success"] is False
    assert body["error"]
    return response.status_code, body["code"]


def test_a_pin_says_all_that_was_asked_for(play: Play) -> None:
    async def story(on: Platform) -> None:
        wish: dict[str, Any] = {
            "cid": inline("x"),
            "name": "site",
            "tier": "standard",
            "priority": "high",
            "metadata": {"app": "blog"},
            "origins": ["/dns4/example.com/tcp/443/https"],
            "expires_at": "2099-01-31T12:00:00Z",
        }
        pin = data(await on.api.post(PINS, json=wish), 202)
        assert {name: pin[name] for name in wish} == {**wish, "expires_at": pin["expires_at"]}
        assert pin["expires_at"].startswith("2099-01-31T12:00:00")
        assert (pin["replication_factor_min"], pin["replication_factor_max"], pin["of_file"]) == (1, 2, False)
        report = await on.until(wish["cid"], "pinned")
        assert (report["status"], report["total_replicas"], report["healthy_replicas"]) == ("degraded", 2, 1)
        assert report["nodes"][0]["status"] == "pinned"
        assert report["nodes"][0]["claimed"]
        found = data(await on.api.get(f"{PINS}/{pin['id']}"))
        assert found["pinStatus"] == "pinned"
        assert data(await on.api.get(f"{PINS}/{wish['cid']}")) == found

    play(story)


def test_the_same_wish_again_is_the_same_request(play: Play) -> None:
    async def story(on: Platform) -> None:
        cid = inline("x")
        first = data(await on.api.post(f"{PINS}/{cid}"), 202)
        again = data(await on.api.post(PINS, json={"cid": cid, "metadata": {"a": "b"}}), 202)
        named = data(await on.api.post(f"{PINS}/{cid}", json={"name": "another"}), 202)
        assert first["id"] == again["id"] != named["id"]
        assert again["metadata"] == {"a": "b"}
        assert (await on.api.get(PINS)).json()["pagination"]["total"] == 2

    play(story)


def test_copies_default_to_what_the_engine_has_and_more_are_refused_with_the_number(play: Play) -> None:
    async def story(on: Platform) -> None:
        pin = data(await on.api.post(PINS, json={"cid": inline("x")}), 202)
        assert (pin["tier"], pin["replication_factor_min"], pin["replication_factor_max"]) == ("ephemeral", 1, 1)
        assert (await on.until(inline("x"), "pinned"))["status"] == "healthy"
        for wish in ({"replication_factor_min": 2}, {"tier": "critical"}):
            response = await on.api.post(PINS, json={"cid": inline("y"), **wish})
            assert code(response) == (409, "REPLICATION_IMPOSSIBLE")
            assert "1 node" in response.json()["error"]
        wish = {"replication_factor_min": 3, "replication_factor_max": 2}
        assert code(await on.api.post(PINS, json={"cid": inline("y"), **wish}))[0] == 400

    play(story)


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({}, 422),
        ({"cid": "nonsense"}, 400),
        ({"cid": NOWHERE, "name": "x" * 256}, 422),
        ({"cid": NOWHERE, "name": "a\0b"}, 422),
        ({"cid": NOWHERE, "unknown": 1}, 422),
        ({"cid": NOWHERE, "tier": "golden"}, 422),
        ({"cid": NOWHERE, "priority": "urgent"}, 422),
        ({"cid": NOWHERE, "replication_factor_min": 0}, 422),
        ({"cid": NOWHERE, "origins": ["no multiaddr"]}, 422),
        ({"cid": NOWHERE, "origins": ["/ip4/1.2.3.4"] * 21}, 422),
        ({"cid": NOWHERE, "origins": ["/nonsense"]}, 400),
        ({"cid": NOWHERE, "origins": ["/dns4/example.com/tcp/443/https", "/ip4/127.0.0.1/tcp/80/http"]}, 400),
        ({"cid": NOWHERE, "metadata": {"a": 1}}, 422),
        ({"cid": NOWHERE, "expires_at": "2027-01-01T00:00:00"}, 422),
        ({"cid": NOWHERE, "expires_at": "soon"}, 422),
        ({"cid": NOWHERE, "expires_at": "2020-01-01T00:00:00Z"}, 400),
    ],
)
def test_what_is_no_wish_is_refused_and_leaves_nothing(tmp_path: Path, wish: dict[str, Any], status: int) -> None:
    async def go() -> None:
        async with platform(tmp_path) as on:
            assert code(await on.api.post(PINS, json=wish))[0] == status
            bulk = await on.api.post(f"{PINS}/bulk/add", json={"pins": [wish]})
            assert bulk.status_code in (200, 422)
            if bulk.status_code == 200:
                assert bulk.json()["data"]["refused"] == 1
            assert (await on.api.get(PINS)).json()["pagination"]["total"] == 0

    run(go())


def test_an_end_that_is_over_is_refused_by_every_door_and_changes_nothing(play: Play) -> None:
    async def story(on: Platform) -> None:
        made = data(await on.api.post(PINS, json={"cid": NOWHERE}), 202)
        over = {"expires_at": "2020-01-01T00:00:00Z"}
        for answer in (
            await on.api.post(PINS, json={"cid": NOWHERE, **over}),
            await on.api.post(f"{PINS}/{NOWHERE}", json=over),
            await on.api.patch(f"{PINS}/{made['id']}", json=over),
            await on.api.post(f"{PINS}/bulk/renew", json={"ids": [made["id"]], **over}),
        ):
            assert answer.status_code == 400, answer.text
            assert answer.json()["error"] == "expires_at lies in the past"
        added = data(await on.api.post(f"{PINS}/bulk/add", json={"pins": [{"cid": NOWHERE, "name": "b", **over}]}))
        assert (added["refused"], added["items"][0]["error"]) == (1, "expires_at lies in the past")
        listed = (await on.api.get(PINS)).json()["data"]
        assert [(one["id"], one["expires_at"]) for one in listed] == [(made["id"], None)]

    play(story)


def test_lists_are_filtered_and_paged(play: Play) -> None:
    async def story(on: Platform) -> None:
        file = await on.upload(b"a file")
        for number in range(7):
            wish = {"cid": inline(str(number)), "name": f"Pin {number}", "metadata": {"odd": str(number % 2)}}
            data(await on.api.post(PINS, json=wish), 202)
        await on.until(inline("6"), "pinned")

        async def total(**query: Any) -> int:
            response = await on.api.get(PINS, params=query)
            assert response.status_code == 200, response.text
            pagination = response.json()["pagination"]
            assert pagination["total_is_exact"]
            count: int = pagination["total"]
            return count

        assert await total() == 7
        assert await total(files="true") == 8
        assert await total(files="true", cid=file["cid"]) == 1
        assert await total(cid=[inline("1"), inline("2")]) == 2
        assert await total(name="pin 3", match="iexact") == 1
        assert await total(name="IN", match="ipartial") == 7
        assert await total(metadata=json.dumps({"odd": "1"})) == 3
        assert await total(status=["queued", "pinning", "pinned", "failed"]) == 7
        assert await total(status="failed") == 0
        assert await total(status="queued,pinning,pinned,failed") == 7
        assert await total(status=["failed", "queued,pinning,pinned"]) == 7
        newest = (await on.api.get(PINS, params={"limit": 1})).json()["data"][0]
        assert await total(before=newest["created_at"]) == 6
        assert await total(after=newest["created_at"]) == 0

        by_page, by_cursor, cursor = [], [], None
        for page in (1, 2, 3, 4):
            body = (await on.api.get(PINS, params={"page": page, "limit": 3})).json()
            by_page += [pin["name"] for pin in body["data"]]
            assert body["pagination"]["page"] == page
            assert body["pagination"]["pages"] == 3
        while True:
            query: dict[str, Any] = {"limit": 3, **({"cursor": cursor} if cursor else {})}
            body = (await on.api.get(PINS, params=query)).json()
            by_cursor += [pin["name"] for pin in body["data"]]
            cursor = body["pagination"]["next_cursor"]
            if cursor is None:
                break
        assert by_page == by_cursor == [f"Pin {number}" for number in range(6, -1, -1)]
        unreadable: list[dict[str, Any]] = [
            {"cursor": "nonsense"},
            {"cursor": "WyJzb29uIl0"},
            {"cursor": "WyIyMDI3LTAxLTAxIl0"},
            {"page": 2, "cursor": "x"},
            {"page": 100_000, "limit": 1000},
            {"cid": "nonsense"},
            {"metadata": "[]"},
            {"metadata": "{"},
        ]
        for query in unreadable:
            assert code(await on.api.get(PINS, params=query))[0] == 400, query
        invalid: list[dict[str, Any]] = [
            {"limit": 0},
            {"limit": 1001},
            {"page": 0},
            {"match": "x"},
            {"status": "x"},
            {"before": "x"},
        ]
        for query in invalid:
            assert code(await on.api.get(PINS, params=query))[0] == 422, query

    play(story)


def test_a_pin_can_be_changed(play: Play) -> None:
    async def story(on: Platform) -> None:
        pin = data(await on.api.post(PINS, json={"cid": inline("x"), "name": "old", "metadata": {"a": "b"}}), 202)
        path = f"{PINS}/{pin['id']}"
        changed = data(await on.api.patch(path, json={"name": "new", "priority": "low"}))
        assert (changed["name"], changed["priority"], changed["metadata"]) == ("new", "low", {"a": "b"})
        changed = data(await on.api.patch(f"{PINS}/{inline('x')}", json={"metadata": {"c": "d"}, "expires_at": None}))
        assert (changed["name"], changed["metadata"]) == ("new", {"c": "d"})
        query = {"metadata": json.dumps({"c": "d"})}
        assert (await on.api.get(PINS, params=query)).json()["pagination"]["total"] == 1
        assert code(await on.api.patch(path, json={"replication_factor_min": 5})) == (409, "REPLICATION_IMPOSSIBLE")
        for nothing in (
            {"name": None},
            {"priority": None},
            {"metadata": None},
            {"origins": None},
            {"status": "pinned"},
        ):
            assert code(await on.api.patch(path, json=nothing))[0] == 422, nothing
        loopback = {"origins": ["/dns4/2130706433/tcp/80/http"]}
        assert code(await on.api.patch(path, json=loopback)) == (400, "ADDRESS_REFUSED")
        kubos = {"origins": ["/ip4/127.0.0.1/tcp/4001"]}
        assert data(await on.api.patch(path, json=kubos))["origins"] == kubos["origins"]
        changed = data(await on.api.patch(path, json={"replication_factor_max": 3}))
        assert (changed["replication_factor_min"], changed["replication_factor_max"]) == (1, 3)
        changed = data(await on.api.patch(path, json={"tier": None}))
        assert changed["tier"] == "ephemeral"

    play(story)


def test_pins_go_by_id_and_by_cid_and_their_content_with_the_last(play: Play) -> None:
    async def story(on: Platform) -> None:
        file = await on.upload(b"a file")
        await on.until(file["cid"], "pinned")
        ids = []
        for name in ("one", "two", "three"):
            ids.append(data(await on.api.post(f"{PINS}/{file['cid']}", json={"name": name}), 202)["id"])
        assert data(await on.api.delete(f"{PINS}/{ids[0]}")) == {"ids": [ids[0]]}
        await on.until(file["cid"], "pinned")
        assert data(await on.api.get(f"{PINS}/{ids[1]}"))["size"] == len(b"a file")
        assert sorted(data(await on.api.delete(f"{PINS}/{file['cid']}"))["ids"]) == sorted(ids[1:])
        assert code(await on.api.delete(f"{PINS}/{ids[0]}")) == (404, "PIN_NOT_FOUND")
        assert code(await on.api.delete(f"{PINS}/{file['cid']}")) == (409, "PIN_CONFLICT")
        assert code(await on.api.delete(f"{PINS}/{NOWHERE}")) == (404, "PIN_NOT_FOUND")
        assert code(await on.api.delete(f"{PINS}/nonsense"))[0] == 400
        assert (await on.pin_status(file["cid"]))["healthy_replicas"] == 1

    play(story)


def test_a_tenant_sees_and_touches_its_own_pins_only(play: Play) -> None:
    async def story(on: Platform) -> None:
        pin = data(await on.api.post(PINS, json={"cid": inline("x"), "name": "secret"}), 202)
        await on.until(inline("x"), "pinned")
        stranger = await on.tenant("stranger")
        assert (await stranger.get(PINS)).json()["data"] == []
        for method, path, body in (
            ("GET", f"{PINS}/{pin['id']}", None),
            ("GET", f"{PINS}/{inline('x')}", None),
            ("GET", f"{PINS}/{inline('x')}/status", None),
            ("PATCH", f"{PINS}/{pin['id']}", {"name": "mine"}),
            ("DELETE", f"{PINS}/{pin['id']}", None),
            ("DELETE", f"{PINS}/{inline('x')}", None),
        ):
            assert (await stranger.request(method, path, json=body)).status_code == 404, (method, path)
        for verb in ("remove", "renew"):
            results = data(await stranger.post(f"{PINS}/bulk/{verb}", json={"ids": [pin["id"]]}))
            assert (results["refused"], results["items"][0]["code"]) == (1, "PIN_NOT_FOUND")
        theirs = data(await stranger.post(PINS, json={"cid": inline("x"), "name": "secret"}), 202)
        assert theirs["id"] != pin["id"]
        report = data(await stranger.get(f"{PINS}/{inline('x')}/status"))
        assert [request["id"] for request in report["requests"]] == [theirs["id"]]
        assert data(await on.api.get(f"{PINS}/{pin['id']}"))["name"] == "secret"

    play(story)


def test_many_at_once_have_a_result_each(play: Play) -> None:
    async def story(on: Platform) -> None:
        pins = [{"cid": inline(str(number)), "name": f"n{number}"} for number in range(50)]
        added = data(await on.api.post(f"{PINS}/bulk/add", json={"pins": [*pins, {"cid": "nonsense"}, pins[0]]}))
        assert (added["accepted"], added["refused"]) == (51, 1)
        assert [item["result"] for item in added["items"]] == ["created"] * 50 + ["refused", "renewed"]
        assert added["items"][50]["code"] == "INVALID_CID"
        ids = [item["id"] for item in added["items"][:50]]
        await on.until(inline("49"), "pinned")
        renewed = data(
            await on.api.post(f"{PINS}/bulk/renew", json={"ids": ids[:2], "expires_at": "2099-01-01T00:00:00Z"})
        )
        assert renewed["accepted"] == 2
        assert data(await on.api.get(f"{PINS}/{ids[1]}"))["expires_at"].startswith("2099")
        removed = data(await on.api.post(f"{PINS}/bulk/remove", json={"ids": [*ids[:40], "nonsense"]}))
        assert (removed["accepted"], removed["refused"]) == (40, 1)
        assert (await on.api.get(PINS)).json()["pagination"]["total"] == 10
        for verb, body in (("add", {"pins": []}), ("remove", {"ids": []}), ("renew", {"ids": ["x"] * 10_001})):
            assert code(await on.api.post(f"{PINS}/bulk/{verb}", json=body))[0] == 422

    play(story)
