"""Webhooks as receivers see them: real sockets, real processes, real signatures."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook

from tests.support.cli import Pinfold
from tests.support.platform import platform
from tests.support.up import PATIENCE_S, Up

HOOKS = "/api/v1/webhooks"


class Receiver:
    """What came in: headers and bodies."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.changed = threading.Condition()
        self.hold = threading.Event()
        """Answers wait until this is set."""
        self.hold.set()

    def until(self, enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        """The events, once there are enough."""
        with self.changed:
            assert self.changed.wait_for(lambda: enough(self.events()), PATIENCE_S), self.events()
            return self.events()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]


@contextmanager
def receiver() -> Iterator[tuple[str, Receiver]]:
    """The URL of somebody who gets events on loopback."""
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with state.changed:
                state.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                state.changed.notify_all()
            state.hold.wait(PATIENCE_S)
            try:
                self.send_response(204)
                self.end_headers()
            except ConnectionError:
                pass  # the sender was killed

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks", state
    finally:
        state.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


def test_an_upload_is_told_when_it_comes_and_when_it_is_pinned(pinfold: Pinfold) -> None:
    with receiver() as (url, state), Up(pinfold, allow_private_webhooks="true") as up:
        made = up.api.post(HOOKS, json={"url": url}).json()["data"]
        record = up.upload(b"hello")
        state.until(lambda events: {"file.created", "pin.pinned"} <= {event["type"] for event in events})
        for headers, body in state.got:
            Webhook(made["secret"]).verify(body, headers)
        created = next(event for event in state.events() if event["type"] == "file.created")
        assert created["data"]["cid"] == record["cid"]
        assert made["secret"] not in up.log


def test_a_kill_while_an_event_is_under_way_sends_it_again_with_the_same_id(pinfold: Pinfold) -> None:
    with receiver() as (url, state):
        with Up(pinfold, allow_private_webhooks="true") as up:
            webhook = up.api.post(HOOKS, json={"url": url, "events": ["file.created"]}).json()["data"]["id"]
            token = up.token
            state.hold.clear()
            up.upload(b"hello")
            state.until(lambda events: len(events) == 1)
            up.stop(signal.SIGKILL)
        state.hold.set()
        with Up(pinfold, token=token, allow_private_webhooks="true") as up:
            state.until(lambda events: len(events) == 2)
            first, second = state.ids()
            assert first == second
            (delivery,) = up.api.get(f"{HOOKS}/{webhook}/deliveries").json()["data"]
            assert delivery["event_id"] == first


def test_a_private_address_gets_nothing_unless_a_setting_allows_it(tmp_path: Path, database_url: str) -> None:
    async def go() -> None:
        with receiver() as (url, state):
            async with platform(tmp_path, database_url=database_url, allow_private_webhooks=True) as at:
                made = (await at.api.post(HOOKS, json={"url": url})).json()["data"]
                token = at.token
            async with platform(tmp_path, token=token, database_url=database_url) as at:
                delivery = (await at.api.post(f"{HOOKS}/{made['id']}/test")).json()["data"]
                path = f"{HOOKS}/{made['id']}/deliveries/{delivery['id']}"
                async with asyncio.timeout(PATIENCE_S):
                    while (found := (await at.api.get(path)).json()["data"])["status"] == "queued":
                        await asyncio.sleep(0.02)
                assert found["status"] == "failed"
                assert found["error"] == "127.0.0.1 is not an address of the public internet"
            assert state.got == []

    asyncio.run(go())


def test_what_the_gateway_served_is_kept_over_a_kill_but_for_the_last_seconds(pinfold: Pinfold) -> None:
    with Up(pinfold) as up:
        token, record = up.token, up.upload(b"x" * 1000)
        up.until_pinned(record["cid"])
        for _ in range(5):
            assert up.gateway.get(f"/ipfs/{record['cid']}").status_code == 200

        def written() -> int:
            day = up.api.get("/api/v1/usage").json()["data"][-1]
            return int(day["gateway_egress_bytes"])

        _until(lambda: written() == 5000)
        up.stop(signal.SIGKILL)
    with Up(pinfold, token=token) as up:
        assert up.api.get("/api/v1/usage").json()["data"][-1]["gateway_egress_bytes"] == 5000


def _until(is_so: Callable[[], bool]) -> None:
    done = threading.Event()
    for _ in range(int(PATIENCE_S / 0.1)):
        if is_so():
            return
        done.wait(0.1)
    raise AssertionError("it never was")
