"""One role a process: any number of APIs, workers and gateways on one data folder and one database."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.support.cli import TIMEOUT_S, Pinfold
from tests.support.up import PATIENCE_S, Up


@dataclass
class Fleet:
    """Two APIs, two workers and a gateway."""

    apis: list[Up]
    workers: list[Up]
    gateway: Up
    token: str

    def client(self, number: int) -> httpx.Client:
        """A client of one of the APIs, with the first token."""
        up = self.apis[number % 2]
        up.api.headers["Authorization"] = f"Bearer {self.token}"
        return up.api

    def upload(self, number: int, data: bytes) -> str:
        """The CID of an upload to one of the APIs."""
        response = self.client(number).post("/api/v1/files/upload", files={"file": ("a.txt", data)})
        assert response.status_code == 201, response.text
        return str(response.json()["data"]["cid"])

    def until_pinned(self, number: int, cid: str) -> None:
        """Wait until one of the APIs says that a CID is pinned."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if self.client(number).get(f"/api/v1/pins/{cid}/status").json()["data"]["status"] == "healthy":
                return
            time.sleep(0.02)
        raise AssertionError(f"{cid} is not pinned")


@contextlib.contextmanager
def fleet(pinfold: Pinfold, **settings: str) -> Iterator[Fleet]:
    """Five processes that start side by side."""
    roles = ("api", "api", "worker", "worker", "gateway")
    started: dict[int, Up] = {}

    def start(number: int) -> None:
        started[number] = Up(pinfold, role=roles[number], **settings)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(len(roles))]
    with contextlib.ExitStack() as stack:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT_S)
        for up in started.values():
            stack.enter_context(up)
        assert len(started) == len(roles)
        tokens = list({up.first_token for up in started.values() if up.first_token})
        assert len(tokens) == 1, "processes that start at the same moment make one token and name one file"
        yield Fleet([started[0], started[1]], [started[2], started[3]], started[4], tokens[0])


@pytest.mark.redis
def test_two_apis_two_workers_and_a_gateway_are_one_platform(
    pinfold: Pinfold, database_url: str, redis_url: str
) -> None:
    with fleet(pinfold, database_url=database_url, redis_url=redis_url) as running:
        cids = [running.upload(number, f"content {number}".encode()) for number in range(8)]
        for number, cid in enumerate(cids):
            running.until_pinned(number + 1, cid)  # asked of the other one than it was sent to
            assert running.gateway.gateway.get(f"/ipfs/{cid}").text == f"content {number}"
        listed = running.client(1).get("/api/v1/files", params={"limit": 50}).json()
        assert {record["cid"] for record in listed["data"]} == set(cids)
        assert listed["pagination"]["total"] == 8
        running.client(1).delete(f"/api/v1/files/{listed['data'][0]['id']}").raise_for_status()
        assert running.client(0).get(f"/api/v1/files/{listed['data'][0]['id']}").status_code == 404
        for up in (*running.apis, *running.workers, running.gateway):
            assert up.stop() == 0
            assert "Traceback" not in up.log
    assert pinfold("repo", "verify").code == 0


@pytest.mark.postgres
def test_a_worker_that_is_killed_is_replaced_by_the_others(pinfold: Pinfold, postgres_url: str) -> None:
    pinfold("db", "upgrade", "--database-url", postgres_url)
    with fleet(pinfold, database_url=postgres_url) as running:
        running.workers[0].process.kill()
        cids = [running.upload(number, b"after the kill %d" % number) for number in range(4)]
        for number, cid in enumerate(cids):
            running.until_pinned(number, cid)
        running.workers[1].process.kill()
        waiting = running.upload(0, b"nobody is there")
        with Up(pinfold, role="worker", database_url=postgres_url):
            running.until_pinned(1, waiting)


def test_roles_and_up_keep_off_each_other_s_folder(pinfold: Pinfold) -> None:
    anywhere = ("--api-address", "127.0.0.1:0")
    with Up(pinfold, role="worker") as worker:
        refused = pinfold("up", *anywhere, "--gateway-address", "127.0.0.1:0", code=83)
        assert "`worker`" in refused.err
        with Up(pinfold, role="gateway") as gateway:
            assert gateway.stop() == 0
        assert worker.stop() == 0
    with Up(pinfold) as up:
        for role in (("api", *anywhere), ("worker",), ("gateway", "--gateway-address", "127.0.0.1:0")):
            refused = pinfold(*role, code=83)
            assert re.search(rf"`pinfold up` runs on .* already \(process {up.process.pid}\)", refused.err)


@pytest.mark.postgres
def test_a_postgresql_gets_its_schema_by_command_only(pinfold: Pinfold, postgres_url: str) -> None:
    at = ("--database-url", postgres_url)
    refused = pinfold("api", "--api-address", "127.0.0.1:0", *at, code=86)
    assert "pinfold db upgrade" in refused.err
    assert pinfold("db", "upgrade", "--check", *at, code=86).out == ""
    assert pinfold("db", "upgrade", *at).out.startswith("upgraded to ")
    assert pinfold("db", "upgrade", *at).out.startswith("nothing to do")
    assert pinfold("db", "upgrade", "--check", "--json", *at).json["upgraded"] is False
    with Up(pinfold, database_url=postgres_url) as up:
        assert up.first_token
        up.until_pinned(up.upload(b"on PostgreSQL")["cid"])
        assert up.stop() == 0
    assert not (pinfold.data_dir / "platform.sqlite3").exists()


def test_a_check_makes_no_database(pinfold: Pinfold) -> None:
    assert "no database yet" in pinfold("db", "upgrade", "--check", code=86).err
    assert not (pinfold.data_dir / "platform.sqlite3").exists()


def test_a_misspelt_setting_is_named_and_does_not_stop_the_start(pinfold: Pinfold) -> None:
    with Up(pinfold, max_uplaod_bytes="5") as up:
        assert up.stop() == 0
    assert "PINFOLD_MAX_UPLAOD_BYTES" in up.log
