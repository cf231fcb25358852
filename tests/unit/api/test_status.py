"""What a process of any role answers about itself."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from pinfold.app.roles import Role
from pinfold.app.wiring import assemble
from pinfold.db import Database, upkeep
from pinfold.db.models import PeriodicJobRow
from pinfold.services.accounts import Scope
from pinfold.services.pins import Reconciler
from pinfold.services.pulse import Pulse
from pinfold.services.worker_presence import ABSENT_AFTER, WorkerPresence
from pinfold.settings import load
from pinfold.telemetry import metrics
from tests.support.platform import PATIENCE_S, Platform, platform, run


async def ask(
    at: Platform, path: str, address: str = "127.0.0.1", *, method: str = "GET", **headers: str
) -> httpx.Response:
    """The answer to a request from an address."""
    transport = httpx.ASGITransport(at.status_app, client=(address, 1234))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:3010", headers=headers) as client:
        return await client.request(method, path)


def test_it_answers_what_the_api_answers_and_nothing_else(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            for path in ("/ping", "/health", "/ready"):
                answer = await ask(at, path, "192.0.2.1")
                assert answer.status_code == 200
                assert answer.json()["success"]
                assert (await ask(at, path)).json() == (await at.api.get(path)).json()
                assert answer.headers["x-request-id"]
                head = await ask(at, path, "192.0.2.1", method="HEAD")
                assert (head.status_code, head.content) == (200, b""), path
            for path in ("/", "/docs", "/openapi.json", "/api/v1/files", "/psa/pins"):
                answer = await ask(at, path, Authorization=f"Bearer {at.token}")
                assert answer.status_code == 404, path

    run(go())


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_what_is_wrong_is_for_those_who_may_read_metrics(tmp_path: Path, path: str) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            at.database.is_damaged = True
            assert "damaged" in (await ask(at, path)).text
            servers, tenants = await at.token_for(Scope.SERVER_ADMIN), await at.token_for()
            assert "damaged" in (await ask(at, path, "192.0.2.1", Authorization=f"Bearer {servers}")).text
            for token in (tenants, "pf_no_such_token"):
                answer = await ask(at, path, "192.0.2.1", Authorization=f"Bearer {token}")
                assert answer.status_code == 503
                assert answer.json()["code"] == "UNWELL"
                assert answer.json()["error"] == "a part of this server is not well"
                assert answer.json()["data"]["checks"] == {}
            at.database.is_damaged = False

    run(go())


def test_its_metrics_are_kept_from_whom_the_apis_are_kept(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            assert "pinfold_loop_silent_seconds" in (await ask(at, "/metrics")).text
            assert (await ask(at, "/metrics", **{"X-Forwarded-For": "192.0.2.1"})).status_code == 401
            refused = await ask(at, "/metrics", "192.0.2.1")
            assert refused.status_code == 401
            assert refused.json()["code"] == "UNAUTHORISED"
            tenants, servers = await at.token_for(), await at.token_for(Scope.SERVER_ADMIN)
            assert (await ask(at, "/metrics", "192.0.2.1", Authorization=f"Bearer {tenants}")).status_code == 403
            assert (await ask(at, "/metrics", "192.0.2.1", Authorization=f"Bearer {servers}")).status_code == 200

    run(go())


@pytest.mark.parametrize(("access", "address", "status"), [("token", "127.0.0.1", 401), ("anyone", "192.0.2.1", 200)])
def test_the_setting_of_who_may_read_metrics_holds_here_too(
    tmp_path: Path, access: str, address: str, status: int
) -> None:
    async def go() -> None:
        async with platform(tmp_path, metrics_access=access) as at:
            assert (await ask(at, "/metrics", address)).status_code == status

    run(go())


def test_what_a_trusted_proxy_says_of_its_client_is_believed(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, trusted_proxies="192.0.2.7", metrics_access="loopback") as at:
            answer = await ask(at, "/metrics", "192.0.2.7", **{"X-Forwarded-For": "127.0.0.1"})
            assert answer.status_code == 401  # passed on, and so not this machine's own

    run(go())


def test_the_gateways_own_address_tells_nothing_of_this(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, metrics_access="anyone") as at:
            for path in ("/metrics", "/health", "/ready"):
                answer = await at.gateway.get(path)
                assert answer.status_code == 404
                assert "pinfold_" not in answer.text

    run(go())


@pytest.mark.parametrize(
    ("role", "checks"),
    [
        (Role.WORKER, ["migrations", "database", "disk", "engine", "worker", "counts"]),
        (Role.API, ["migrations", "database", "disk", "engine", "counts"]),
        (Role.GATEWAY, ["engine", "counts"]),
    ],
)
def test_each_role_is_ready_by_what_it_cannot_work_without(tmp_path: Path, role: Role, checks: list[str]) -> None:
    async def go() -> None:
        async with assemble(load({"data_dir": tmp_path}), frozenset({role})) as parts:
            transport = httpx.ASGITransport(parts.status)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                answer = await client.get("/ready")
                assert answer.json()["data"]["checks"] == dict.fromkeys(checks, "ok")

    run(go())


def test_a_worker_whose_question_is_not_answered_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        asked, answered = asyncio.Event(), asyncio.Event()

        async def wait_long(*_: object) -> float:
            asked.set()
            await answered.wait()
            return 0.5

        pulses: list[Pulse] = []
        make = Pulse.__init__

        def remember(self: Pulse, name: str) -> None:
            make(self, name)
            pulses.append(self)

        monkeypatch.setattr(Pulse, "__init__", remember)
        async with platform(tmp_path) as at:
            assert (await ask(at, "/ready")).status_code == 200
            monkeypatch.setattr(Reconciler, "seconds_to_next", wait_long)
            async with asyncio.timeout(PATIENCE_S):
                await asked.wait()
            (pulse,) = [one for one in pulses if one.name == "pins"]
            pulse._beat_at -= 61  # as if a minute had gone by
            answer = await ask(at, "/health")
            assert answer.status_code == 503
            assert answer.json()["data"]["checks"]["worker"].startswith("the loop of pins has been stuck for 6")
            assert "worker: the loop of pins" in answer.json()["error"]
            answered.set()
            async with asyncio.timeout(PATIENCE_S):
                while (await ask(at, "/health")).status_code != 200:
                    await asyncio.sleep(0.01)

    run(go())


def test_an_api_without_any_worker_says_so_in_its_health_and_in_what_waits(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        settings = load({"data_dir": tmp_path, "database_url": database_url})
        async with assemble(settings, frozenset({Role.API})) as parts:
            token = await parts.accounts.make_owner_token()
            headers = {"Authorization": f"Bearer {token}"}
            transport = httpx.ASGITransport(parts.api)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
                answer = await client.get("/health")
                assert (answer.status_code, answer.json()["code"]) == (503, "UNWELL")
                assert "no worker has run" in answer.json()["data"]["checks"]["worker"]
                assert (await client.get("/ready")).status_code == 200
                made = await client.post("/api/v1/files/upload", files={"file": ("a.txt", b"waits")})
                file = made.json()["data"]
                assert (file["pinStatus"], file["pinError"]) == ("queued", None)
                for path, field in (
                    (f"/api/v1/files/{file['id']}", "pinError"),
                    (f"/api/v1/pins/{file['cid']}/status", "error"),
                    (f"/api/v1/pins/{file['cid']}", "error"),
                ):
                    assert "no worker has run" in (await client.get(path)).json()["data"][field], path

    run(go())


def test_a_worker_that_has_gone_is_missed_after_two_minutes(tmp_path: Path) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    database = Database(f"sqlite:///{tmp_path}/platform.sqlite3")
    seen = WorkerPresence(database, runs_here=False, clock=lambda: now, fresh_s=0)

    async def go() -> list[str | None]:
        said = [await seen.problem()]
        for age in (ABSENT_AFTER, ABSENT_AFTER + timedelta(seconds=1)):
            await database.everybody.write(succeed, now - age)
            said.append(await seen.problem())
        return said

    def succeed(session: Session, at: datetime) -> None:
        upkeep.known(session, ["expired-pins"], at)
        session.execute(update(PeriodicJobRow).values(succeeded_at=at))

    try:
        never, just, late = run(go())
    finally:
        database.close()
    assert never is not None and just is None and late is not None


def test_loop_metrics_are_of_loops_that_run_here(tmp_path: Path) -> None:
    before = _loops_known()
    Pulse("a-loop-of-another-role")
    assert _loops_known() == before


def _loops_known() -> set[str]:
    return {sample.labels["loop"] for metric in metrics.LOOP_SILENCE.collect() for sample in metric.samples}
