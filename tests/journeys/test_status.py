"""Roles that run apart are asked how they are, each at an address of its own."""

from __future__ import annotations

import re
import signal
import socket
import time

import httpx
import pytest

from pinfold.services.pulse import STUCK_AFTER_S
from tests.support.cli import Pinfold
from tests.support.postgres import PostgresServer
from tests.support.up import PATIENCE_S, Up

ANYWHERE = "127.0.0.1:0"


def ask(up: Up, path: str) -> httpx.Response:
    """What a process says of itself."""
    return httpx.get(f"{up.status_url}{path}", timeout=PATIENCE_S)


def until(up: Up, path: str, status: int) -> dict[str, str]:
    """What it says of its parts once it answers with that status."""
    end = time.monotonic() + PATIENCE_S
    while (answer := ask(up, path)).status_code != status:
        assert time.monotonic() < end, answer.text
        time.sleep(0.05)
    checks: dict[str, str] = answer.json()["data"]["checks"]
    return checks


def test_a_worker_and_a_gateway_apart_answer_probes_and_are_scraped(pinfold: Pinfold, database_url: str) -> None:
    settings = {"database_url": database_url, "status_address": ANYWHERE}
    with (
        Up(pinfold, role="api", **settings) as api,
        Up(pinfold, role="worker", **settings) as worker,
        Up(pinfold, role="gateway", **settings) as gateway,
    ):
        for up in (api, worker, gateway):
            assert ask(up, "/ping").json()["data"] == {"ping": "pong"}
            assert ask(up, "/health").status_code == ask(up, "/ready").status_code == 200
        cid = api.upload(b"scraped")["cid"]
        api.until_pinned(cid)
        assert gateway.gateway.get(f"/ipfs/{cid}").status_code == 200
        carried_out = re.search(r"^pinfold_reconciliations_total\{.*\} (\S+)", ask(worker, "/metrics").text, re.M)
        assert carried_out
        assert float(carried_out[1]) >= 1
        assert "pinfold_reconciliations_total{" not in ask(api, "/metrics").text  # each counts what it did itself
        assert 'pinfold_gateway_requests_total{status="200"} 1.0' in ask(gateway, "/metrics").text
        assert gateway.gateway.get("/metrics").status_code == 404
        for up in (api, worker, gateway):
            assert up.stop() == 0
            assert "Traceback" not in up.log


@pytest.mark.postgres
def test_without_the_database_a_worker_is_not_ready_and_a_gateway_serves_on(
    pinfold: Pinfold, postgres_engine: PostgresServer, postgres_template: str
) -> None:
    url = postgres_engine.create_database(template=postgres_template)
    settings = {"database_url": url, "status_address": ANYWHERE}
    with Up(pinfold, role="worker", **settings) as worker, Up(pinfold, role="gateway", **settings) as gateway:
        postgres_engine.drop_database(url)
        assert until(worker, "/ready", 503)["database"] != "ok"
        assert ask(gateway, "/ready").status_code == 200
        assert until(gateway, "/health", 503)["database"] != "ok"
        assert gateway.gateway.get("/ipfs/bafkqabtimvwgy3yk").text == "hello\n"


def test_a_worker_that_was_stopped_for_a_while_answers_nothing_and_then_is_well(pinfold: Pinfold) -> None:
    with Up(pinfold, role="worker", status_address=ANYWHERE) as worker:
        worker.process.send_signal(signal.SIGSTOP)
        with pytest.raises(httpx.TimeoutException):
            httpx.get(f"{worker.status_url}/ready", timeout=0.5)
        worker.process.send_signal(signal.SIGCONT)
        assert until(worker, "/ready", 200)["worker"] == "ok"
        silent = re.findall(r'^pinfold_loop_silent_seconds\{loop="(\w+)"\} (\S+)', ask(worker, "/metrics").text, re.M)
        assert {loop for loop, _ in silent} == {"pins", "webhooks", "upkeep", "jobs", "counts"}
        assert all(float(seconds) < STUCK_AFTER_S for _, seconds in silent)


def test_an_address_that_is_taken_or_the_gateways_own_is_refused_with_a_sentence(pinfold: Pinfold) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        refused = pinfold("worker", "--status-address", address, code=1)
        assert f"{address} is in use by another program" in refused.err
        assert "PINFOLD_STATUS_ADDRESS" in refused.err
        same = ("gateway", "--gateway-address", address, "--status-address", address)
        assert "gateway_address and status_address are both" in pinfold(*same, code=93).err
    assert "is no address" in pinfold("worker", "--status-address", "somewhere", code=93).err
