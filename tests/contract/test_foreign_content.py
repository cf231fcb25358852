"""A pin by CID reveals nothing of what other tenants keep: it needs a source, whether the content is here or not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from pinfold.core.cid import CID
from pinfold.node import Node
from tests.support.gateways import Honest, gateway, not_found
from tests.support.platform import PATIENCE_S, Platform, platform, run

Story = Callable[[Platform], Coroutine[Any, Any, None]]

TEXT = b"what only one tenant has\n" * 120_000  # several leaves below a root
NOWHERE = str(CID.of(b"no node has this"))


@pytest.fixture
def play(tmp_path: Path, database_url: str) -> Iterator[Callable[..., None]]:
    """Runs a story on a platform; with ``source``, content that a gateway offers, and what it lacks."""
    with ExitStack() as stack:

        def go(story: Story, source: bytes | None = None, lacks: int = 0, **settings: Any) -> None:
            if source is not None:
                other = stack.enter_context(Node(tmp_path / "source"))
                root = other.add_bytes(source)
                leaves = [ref.cid for ref in other.refs(root)] if lacks else []
                offered = Honest(other.store, car=not lacks, without=leaves[-lacks:] if lacks else ())
                settings["fetch_from"] = stack.enter_context(gateway(offered))

            async def begin() -> None:
                async with platform(tmp_path / "data", database_url=database_url, **settings) as on:
                    await story(on)

            run(begin())

        yield go


async def ended(api: httpx.AsyncClient, cid: str) -> dict[str, Any]:
    """How a CID that was asked for stands, once it is pinned or failed."""
    response = await api.post(f"/api/v1/pins/{cid}", json={})
    assert response.status_code in (200, 201, 202), response.text
    async with asyncio.timeout(PATIENCE_S):
        while True:
            report: dict[str, Any] = (await api.get(f"/api/v1/pins/{cid}/status")).json()["data"]
            if report["pinStatus"] in ("pinned", "failed"):
                return report
            await asyncio.sleep(0.01)


def without(report: dict[str, Any], cid: str) -> str:
    """A report as text, apart from its CID and its times."""
    report["created_at"] = report["updated_at"] = ""
    kept = {name: value for name, value in report.items() if not name.endswith("_at")}
    kept["requests"] = [[one["pinStatus"], one.get("pinError")] for one in kept.get("requests", [])]
    kept["nodes"] = [[one["status"], one["error"]] for one in kept["nodes"]]
    return repr(kept).replace(cid, "CID")


def test_what_another_tenant_keeps_fails_as_what_is_nowhere(play: Callable[..., None]) -> None:
    async def story(on: Platform) -> None:
        cid = (await on.upload(TEXT))["cid"]
        await on.until(cid, "pinned")
        stranger = await on.tenant("other")
        there, nowhere = await ended(stranger, cid), await ended(stranger, NOWHERE)
        assert there["pinStatus"] == "failed"
        assert without(there, cid) == without(nowhere, NOWHERE)
        assert (await on.pin_status(cid))["status"] == "healthy"  # its owner's is as it was

    play(story)


ROUTERS = {
    "which knows nobody": ("", "knows no HTTP provider of it"),
    "which has no address": ("http://router.invalid", "router.invalid cannot be resolved"),
}


@pytest.mark.parametrize("kind", ROUTERS)
def test_it_fails_as_what_is_nowhere_also_where_a_router_was_asked(play: Callable[..., None], kind: str) -> None:
    url, said = ROUTERS[kind]

    async def story(on: Platform) -> None:
        cid = (await on.upload(TEXT))["cid"]
        await on.until(cid, "pinned")
        stranger = await on.tenant("other")
        there, nowhere = await ended(stranger, cid), await ended(stranger, NOWHERE)
        assert said in there["error"] and "PINFOLD_FETCH_FROM" in there["error"]
        assert without(there, cid) == without(nowhere, NOWHERE)
        info = (await stranger.get("/psa/pins?status=failed")).json()["results"][0]["info"]
        assert info["status_details"] == nowhere["error"]

    with gateway(not_found) as empty:
        play(story, fetch_routers=url or empty)


def test_a_file_inside_another_tenants_folder_fails_as_well(play: Callable[..., None]) -> None:
    async def story(on: Platform) -> None:
        files = [("file", ("a/one.txt", TEXT)), ("file", ("a/two.txt", b"two"))]
        response = await on.api.post("/api/v1/files/upload", files=files)
        await on.until(response.json()["data"]["cid"], "pinned")
        inside = str(CID.of(b"two"))
        assert (await ended(on.api, inside))["pinStatus"] == "pinned"  # in one's own folder
        assert (await ended(await on.tenant("other"), inside))["pinStatus"] == "failed"

    play(story)


def test_what_a_source_has_is_pinned_for_both_and_kept_for_the_one_that_stays(play: Callable[..., None]) -> None:
    async def story(on: Platform) -> None:
        record = await on.upload(TEXT)
        cid = record["cid"]
        await on.until(cid, "pinned")
        stranger = await on.tenant("other")
        assert (await ended(stranger, cid))["status"] == "healthy"
        assert (await on.api.delete(f"/api/v1/files/{record['id']}")).status_code in (200, 204)
        assert (await ended(stranger, cid))["status"] == "healthy"
        assert (await on.gateway.get(f"/ipfs/{cid}")).content == TEXT

    play(story, source=TEXT)


def test_a_source_that_lacks_one_block_is_not_completed_by_another_tenants(play: Callable[..., None]) -> None:
    async def story(on: Platform) -> None:
        cid = (await on.upload(TEXT))["cid"]
        await on.until(cid, "pinned")
        assert (await ended(await on.tenant("other"), cid))["pinStatus"] == "failed"

    play(story, source=TEXT, lacks=1)


def test_what_the_operator_pinned_at_the_node_is_for_every_tenant(tmp_path: Path, database_url: str) -> None:
    with Node(tmp_path) as node:
        cid = str(node.add_bytes(TEXT))

    async def story() -> None:
        async with platform(tmp_path, database_url=database_url) as on:
            for api in (on.api, await on.tenant("other")):
                assert (await ended(api, cid))["pinStatus"] == "pinned"

    run(story())


def test_content_that_a_tenant_had_pinned_stays_its_own(play: Callable[..., None]) -> None:
    async def story(on: Platform) -> None:
        stranger = await on.tenant("other")
        uploaded = await stranger.post("/api/v1/files/upload", files={"file": ("x", TEXT)})
        cid = uploaded.json()["data"]["cid"]
        await on.upload(TEXT)
        assert (await ended(stranger, cid))["pinStatus"] == "pinned"  # by its file
        again = await stranger.post("/psa/pins", json={"cid": cid, "name": "another request"})
        assert again.status_code == 202
        async with asyncio.timeout(PATIENCE_S):
            while (await stranger.get(f"/psa/pins/{again.json()['requestid']}")).json()["status"] != "pinned":
                await asyncio.sleep(0.01)

    play(story)
