from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from fastapi import Depends, FastAPI
from sqlalchemy import text

from pinfold import telemetry
from pinfold.api.deprecation import deprecated
from pinfold.api.errors import add_error_handlers
from pinfold.api.outermost import Outermost
from pinfold.core.errors import NotFound
from pinfold.services.accounts import Scope
from pinfold.services.health import HealthService
from pinfold.services.pulse import Loops
from pinfold.telemetry import fields, metrics
from tests.support.memory_engine import MemoryEngine
from tests.support.platform import Platform, platform, run

# -- metrics -----------------------------------------------------------------------------------------------------------


def value(exposition: str, name: str, **labels: str) -> float:
    """A sample's value."""
    for line in exposition.splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found and found[1] == name and dict(re.findall(r'(\w+)="([^"]*)"', found[2] or "")) == labels:
            return float(found[3])
    return 0.0


async def from_address(at: Platform, address: str, token: str | None = None, **headers: str) -> httpx.Response:
    """``/metrics``, asked for from an address."""
    transport = httpx.ASGITransport(at.api_app, client=(address, 1234))
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:3000", headers=headers) as client:
        return await client.get("/metrics")


def test_metrics_tell_of_requests_uploads_pins_and_the_store(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            before = (await from_address(at, "127.0.0.1")).text
            record = await at.upload(b"x" * 1000)
            await at.until(record["cid"], "pinned")
            await at.gateway.get(f"/ipfs/{record['cid']}")
            await at.api.get(f"/api/v1/files/{record['id']}")
            await at.api.request("BREW", "/coffee")
            services = at.api_app._app._app._api.state.services  # type: ignore[attr-defined]
            services.gauges._looked_at = None  # as if some seconds had gone by
            answer = await from_address(at, "127.0.0.1")
            assert answer.headers["content-type"].startswith("text/plain; version=")
            after = answer.text

            def more(name: str, **labels: str) -> float:
                return value(after, name, **labels) - value(before, name, **labels)

            assert more("pinfold_uploads_total") == 1
            assert more("pinfold_uploaded_bytes_total") == 1000
            route = {"method": "GET", "route": "/api/v1/files/{id}"}
            assert more("pinfold_http_requests_total", **route, status="200") == 1
            assert more("pinfold_http_request_duration_seconds_count", **route) == 1
            assert more("pinfold_http_requests_total", method="OTHER", route="none", status="404") == 1
            assert record["id"] not in after
            assert more("pinfold_gateway_requests_total", status="200") == 1
            assert more("pinfold_gateway_sent_bytes_total") == 1000
            assert value(after, "pinfold_pins", status="pinned") == 1
            assert value(after, "pinfold_pins", status="failed") == 0
            assert value(after, "pinfold_files") == value(after, "pinfold_organisations") == 1
            assert value(after, "pinfold_logical_bytes") == 1000
            assert value(after, "pinfold_store_blocks") == value(after, "pinfold_store_pins") == 1
            assert value(after, "pinfold_store_bytes") > 1000
            assert value(after, "pinfold_reconciliation_backlog") == 0
            assert value(after, "pinfold_webhook_backlog") == 0
            assert value(after, "pinfold_metrics_poll_failures_total") == value(
                before, "pinfold_metrics_poll_failures_total"
            )

    run(go())


def test_metrics_are_for_this_machine_and_for_the_servers_administrators(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            tenants = await at.token_for()
            servers = await at.token_for(Scope.SERVER_ADMIN)
            for address in ("127.0.0.1", "127.9.9.9", "::1"):
                assert (await from_address(at, address)).status_code == 200
            for address in ("192.0.2.1", "2001:db8::1", "10.0.0.1"):
                assert (await from_address(at, address)).status_code == 401
                assert (await from_address(at, address, tenants)).status_code == 403
                assert (await from_address(at, address, servers)).status_code == 200

    run(go())


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *[(one, 200) for one in ("localhost", "LOCALHOST:3000", "a.localhost:3000")],
        *[(one, 200) for one in ("127.0.0.1", "127.1.2.3:3000", "[::1]:3000")],
        *[(one, 401) for one in ("evil.example", "evil.example:3000", "localhost.evil.example")],
        ("127.0.0.1.evil.example", 401),
        *[(one, 401) for one in ("192.0.2.1:3000", "[2001:db8::1]:3000", "evillocalhost")],
    ],
)
def test_a_page_whose_name_was_pointed_here_reads_no_metrics(tmp_path: Path, host: str, status: int) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            assert (await from_address(at, "127.0.0.1", Host=host)).status_code == status

    run(go())


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "Via"])
def test_a_proxy_on_this_machine_does_not_make_strangers_local(tmp_path: Path, name: str) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            assert (await from_address(at, "127.0.0.1", **{name: "for=192.0.2.1"})).status_code == 401

    run(go())


def test_who_may_read_metrics_is_a_setting(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path / "a", metrics_access="token") as at:
            assert (await from_address(at, "127.0.0.1")).status_code == 401
            assert (await from_address(at, "127.0.0.1", at.token)).status_code == 200
        async with platform(tmp_path / "b", metrics_access="anyone") as at:
            assert (await from_address(at, "192.0.2.1")).status_code == 200

    run(go())


def test_metrics_of_a_database_that_is_away_are_answered_and_say_so(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            before = (await from_address(at, "127.0.0.1")).text
            at.api_app._app._app._api.state.services.gauges._looked_at = None  # type: ignore[attr-defined]
            await at.database.everybody.write(lambda session: session.execute(text("DROP TABLE pins")))
            answer = await from_address(at, "127.0.0.1")
            assert answer.status_code == 200
            name = "pinfold_metrics_poll_failures_total"
            assert value(answer.text, name) == value(before, name) + 1

    run(go())


def test_every_metric_is_ours_and_says_what_it_is() -> None:
    ours = [one for one in metrics.REGISTRY.collect() if not one.name.startswith(("process_", "python_"))]
    assert len(ours) > 20
    assert all(one.name.startswith("pinfold_") and one.documentation.endswith(".") for one in ours)


# -- readiness ---------------------------------------------------------------------------------------------------------


def test_ready_asks_for_the_schema_a_write_the_engine_and_the_workers(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            nobody = await at.client(None)
            answer = await nobody.get("/ready", headers={"Host": "localhost"})
            assert answer.status_code == 200, answer.text
            assert answer.json()["data"]["checks"] == {
                "migrations": "ok",
                "database": "ok",
                "disk": "ok",
                "engine": "ok",
                "worker": "ok",
                "counts": "ok",
            }

    run(go())


def test_a_database_with_another_schema_is_not_ready(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=database_url) as at:
            await at.database.everybody.write(
                lambda session: session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
            )
            answer = await at.api.get("/ready")
            assert answer.status_code == 503
            checks = answer.json()["data"]["checks"]
            assert "older schema" in checks.pop("migrations")
            assert set(checks.values()) == {"ok"}
            assert (await at.api.get("/ping")).status_code == 200

    run(go())


def test_a_database_that_cannot_be_written_to_is_well_enough_to_read_and_not_ready(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            await at.database.everybody.write(
                lambda session: session.execute(text("ALTER TABLE periodic_jobs RENAME TO elsewhere"))
            )
            answer = await at.api.get("/ready")
            assert answer.status_code == 503
            assert answer.json()["data"]["checks"]["database"] != "ok"
            assert (await at.api.get("/health")).status_code == 200

    run(go())


@pytest.mark.parametrize(("least_free_bytes", "folder", "said"), [(1 << 62, ".", "is full"), (1, "gone", "written")])
def test_a_disk_that_takes_nothing_more_is_not_ready_and_well_enough_to_read(
    tmp_path: Path, least_free_bytes: int, folder: str, said: str
) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            folders = [tmp_path / folder]
            health = HealthService(at.database, MemoryEngine(), Loops(), folders, least_free_bytes=least_free_bytes)
            checks = await health.ready()
            answer = checks.pop("disk")
            assert said in answer
            assert str(tmp_path) not in answer  # anybody may ask
            assert set(checks.values()) == {"ok"}
            assert set((await health.check()).values()) == {"ok"}

    run(go())


def test_whoever_only_serves_is_ready_without_a_database_and_without_room(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            health = HealthService(
                at.database, MemoryEngine(), Loops(), [tmp_path], only_serves=True, least_free_bytes=1 << 62
            )
            await at.database.everybody.write(lambda session: session.execute(text("DROP TABLE tokens")))
            assert await health.ready() == {"engine": "ok"}
            assert (await health.check())["database"] != "ok"  # people are told

    run(go())


# -- request ids and log lines -----------------------------------------------------------------------------------------


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged, as JSON lines."""
    import logging

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    out = io.StringIO()
    telemetry.configure("info", "json", out)
    yield out
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(log: io.StringIO, request_id: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in found if line.get(fields.REQUEST_ID) == request_id]


def test_a_well_formed_request_id_is_taken_over_by_api_and_gateway(tmp_path: Path, log: io.StringIO) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            for client, path in ((at.api, "/api/v1/files"), (at.api, "/nothing"), (at.gateway, "/ipfs/x")):
                answer = await client.get(path, headers={"X-Request-Id": "mine-1.2_3"})
                assert answer.headers.get_list("x-request-id") == ["mine-1.2_3"]
            assert [line["event"] for line in lines(log, "mine-1.2_3")] == ["request"] * 3

    run(go())


@pytest.mark.parametrize("given", ["", "a b", 'x"y', "ü", "x" * 65, "a\tb"])
def test_any_other_request_id_is_replaced(tmp_path: Path, given: str) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            for client, path in ((at.api, "/ping"), (at.gateway, "/")):
                answer = await client.get(path, headers=[(b"X-Request-Id", given.encode())])
                (made,) = answer.headers.get_list("x-request-id")
                assert re.fullmatch(r"[0-9a-f]{16}", made)

    run(go())


def test_every_line_of_a_request_bears_its_id_and_the_last_says_whose_it_was(
    tmp_path: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:

            async def fail(*_: object) -> None:
                raise RuntimeError("a bug")

            services = at.api_app._app._app._api.state.services  # type: ignore[attr-defined]
            monkeypatch.setattr(type(services.webhooks), "everyone", fail)
            answer = await at.api.get("/api/v1/webhooks", headers={"X-Request-Id": "bug-1"})
            assert answer.status_code == 500
            assert answer.headers["x-request-id"] == answer.json()["request_id"] == "bug-1"
            failed, request = lines(log, "bug-1")
            assert failed["event"] == "request failed"
            assert "a bug" in failed["exception"]
            assert (request["event"], request[fields.STATUS]) == ("request", 500)
            assert request[fields.ROUTE] == "/api/v1/webhooks"
            assert request[fields.ORGANISATION_ID]
            assert at.token not in log.getvalue()

    run(go())


def test_a_webhooks_secret_stands_in_no_log_line(tmp_path: Path, log: io.StringIO) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            made = await at.api.post("/api/v1/webhooks", json={"url": "https://receiver.invalid/"})
            secret = made.json()["data"]["secret"]
            telemetry.logger("api").info(f"it is {secret}", given=made.json())
            assert secret not in log.getvalue()
            assert "whsec_[not shown]" in log.getvalue()

    run(go())


# -- deprecation -------------------------------------------------------------------------------------------------------

SINCE = datetime(2026, 1, 31, tzinfo=UTC)


def old_api() -> Outermost:
    """An API with deprecated routes."""
    api = FastAPI()
    add_error_handlers(api)
    whole = deprecated(SINCE, sunset=SINCE + timedelta(days=365), link="https://example.com/new")

    @api.get("/old", dependencies=[Depends(whole)], deprecated=True)
    async def old() -> str:
        return "still here"

    @api.get("/failing", dependencies=[Depends(deprecated(SINCE))])
    async def failing() -> str:
        raise NotFound("not here")

    @api.get("/new")
    async def new() -> str:
        return "here"

    return Outermost(api)


def get(path: str) -> httpx.Response:
    async def go() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(old_api()), base_url="http://api.test") as client:
            return await client.get(path)

    return run(go())


def test_a_deprecated_route_says_since_when_until_when_and_what_instead() -> None:
    headers = get("/old").headers
    assert headers["deprecation"] == f"@{int(SINCE.timestamp())}"
    assert headers["sunset"] == "Sun, 31 Jan 2027 00:00:00 GMT"
    assert headers["link"] == '<https://example.com/new>; rel="deprecation"; type="text/html"'


def test_errors_of_a_deprecated_route_say_so_too_and_other_routes_do_not() -> None:
    failed = get("/failing")
    assert failed.status_code == 404
    assert failed.headers["deprecation"]
    assert "sunset" not in failed.headers
    assert "deprecation" not in get("/new").headers


def test_times_of_a_deprecation_make_sense() -> None:
    with pytest.raises(ValueError, match="zone"):
        deprecated(datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="before"):
        deprecated(SINCE, sunset=SINCE - timedelta(days=1))
