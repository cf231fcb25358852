"""Pins of real processes: content that is fetched, stopped and resumed; acknowledged pins after kills."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from pinfold.core.cid import CID
from pinfold.core.multihash import IDENTITY
from pinfold.store import Store
from tests.support.cli import Pinfold
from tests.support.dags import noise
from tests.support.gateways import Honest, gateway
from tests.support.stores import put_file
from tests.support.up import PATIENCE_S, Up

CONTENT = noise(1, 300_000)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Store]:
    """A store that has everything."""
    store = Store(tmp_path / "source")
    yield store
    store.close()


def origin(url: str) -> str:
    """The multiaddr of a gateway on loopback."""
    parts = urlsplit(url)
    return f"/ip4/{parts.hostname}/tcp/{parts.port}/http"


def until(up: Up, cid: CID, what: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """How a CID stands, once it stands so."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        report: dict[str, Any] = up.api.get(f"/api/v1/pins/{cid}/status").json()["data"]
        if what(report):
            return report
        time.sleep(0.02)
    raise AssertionError(report)


def ask(up: Up, cid: CID, **more: Any) -> httpx.Response:
    """The answer to a wish."""
    return up.api.post("/api/v1/pins", json={"cid": str(cid), **more})


class Held(Honest):
    """An honest gateway that gives ``first`` blocks and holds the others back until it is let go on."""

    def __init__(self, store: Store, first: int) -> None:
        super().__init__(store, car=False)
        self._left = first
        self.go_on = threading.Event()

    def __call__(self, request: BaseHTTPRequestHandler) -> None:
        if "format=raw" in request.path:
            self._left -= 1
            if self._left < 0:
                self.go_on.wait(PATIENCE_S)
        super().__call__(request)


def test_content_comes_from_the_origin_of_a_request(pinfold: Pinfold, source: Store) -> None:
    cid = put_file(source, CONTENT)
    with gateway(Honest(source)) as url, Up(pinfold, allow_private_origins="true") as up:
        assert ask(up, cid, origins=[origin(url)]).status_code == 202
        report = until(up, cid, lambda report: report["pinStatus"] == "pinned")
        assert report["status"] == "healthy"
        assert report["requests"][0]["size"] == report["progress"]["total_bytes"] > len(CONTENT)
        assert up.gateway.get(f"/ipfs/{cid}").content == CONTENT


def test_an_origin_on_this_machine_is_refused_unless_a_setting_allows_it(pinfold: Pinfold, source: Store) -> None:
    cid, honest = put_file(source, CONTENT), Honest(source)
    with gateway(honest) as url, Up(pinfold) as up:
        refused = ask(up, cid, origins=[origin(url)])
        assert (refused.status_code, refused.json()["code"]) == (400, "ADDRESS_REFUSED"), refused.text
        wish = {"cid": str(cid), "origins": [origin(url)]}
        refused = up.api.post("/psa/pins", json=wish)
        assert (refused.status_code, refused.json()["error"]["reason"]) == (400, "BAD_REQUEST"), refused.text
        (item,) = up.api.post("/api/v1/pins/bulk/add", json={"pins": [wish]}).json()["data"]["items"]
        assert (item["result"], item["code"]) == ("refused", "ADDRESS_REFUSED"), item
        assert honest.blocks == honest.cars == []


def test_a_fetch_that_was_stopped_goes_on_where_it_stood(pinfold: Pinfold, source: Store) -> None:
    cid = put_file(source, CONTENT)
    held = Held(source, first=120)
    with gateway(held) as url:
        with Up(pinfold, fetch_from=url) as up:
            token = up.token
            assert ask(up, cid).status_code == 202
            report = until(up, cid, lambda report: (report["progress"] or {}).get("blocks", 0) >= 60)
            assert report["pinStatus"] == "pinning"
            up.stop(signal.SIGTERM)
        held.go_on.set()
        asked_before = len(held.blocks)
        with Up(pinfold, token=token, fetch_from=url) as up:
            until(up, cid, lambda report: report["pinStatus"] == "pinned")
            assert up.gateway.get(f"/ipfs/{cid}").content == CONTENT
        assert len(held.blocks) - asked_before < len(set(held.blocks)), "what was here was fetched again"


def test_a_fetch_ends_with_its_request(pinfold: Pinfold, source: Store) -> None:
    cid = put_file(source, CONTENT)
    held = Held(source, first=10)
    with gateway(held) as url, Up(pinfold, fetch_from=url) as up:
        request = ask(up, cid).json()["data"]
        until(up, cid, lambda report: report["progress"] is not None)
        assert up.api.delete(f"/api/v1/pins/{request['id']}").status_code == 200
        time.sleep(2)  # the fetch looks every second whether it is still wanted
        held.go_on.set()
        time.sleep(1)
        assert len(set(held.blocks)) < 250, "it went on"
        assert up.api.get(f"/api/v1/pins/{cid}/status").status_code == 404


def kill_and_look(pinfold: Pinfold, times: int) -> None:
    """Kill the platform again and again while pins come and go; what was acknowledged last is how it is."""
    token, acknowledged, number = "", dict[str, bool](), 0
    for round_number in range(times + 1):
        with Up(pinfold, token=token) as up:
            token = up.token
            stop = threading.Event()

            def wish(who: int, up: Up = up, stop: threading.Event = stop) -> None:
                nonlocal number
                mine: list[str] = []
                while not stop.is_set():
                    number += 1
                    cid = str(CID.of(b"%d by %d" % (number, who), hash_code=IDENTITY))
                    try:
                        answer = up.api.post("/psa/pins", json={"cid": cid})
                        if answer.status_code == 202:
                            mine.append(answer.json()["requestid"])
                            acknowledged[mine[-1]] = True
                        if len(mine) % 3 == 2:
                            gone = mine.pop(0)
                            acknowledged.pop(gone)  # until it is answered, both are right
                            if up.api.delete(f"/psa/pins/{gone}").status_code == 202:
                                acknowledged[gone] = False
                    except httpx.TransportError:
                        return

            if round_number < times:
                with ThreadPoolExecutor(4) as threads:
                    for who in range(4):
                        threads.submit(wish, who)
                    time.sleep(0.3 + 0.13 * (round_number % 7))
                    up.process.kill()
                    stop.set()
                continue
            end = time.monotonic() + PATIENCE_S
            while up.api.get("/psa/pins?limit=1&status=queued,pinning").json()["count"]:
                assert time.monotonic() < end, "pins stay queued"
                time.sleep(0.1)
            for requestid, is_there in acknowledged.items():
                answer = up.api.get(f"/psa/pins/{requestid}")
                assert answer.status_code == (200 if is_there else 404), requestid
                assert not is_there or answer.json()["status"] == "pinned"
            assert sum(acknowledged.values()) >= times, "too few were acknowledged to say anything"
            pinned = up.api.get("/api/v1/pins?limit=1").json()["pagination"]["total"]
            assert pinned == up.api.get("/psa/pins?limit=1").json()["count"]
            pinfold("audit", "verify")


def test_no_acknowledged_pin_is_lost_or_doubled_by_kills(pinfold: Pinfold) -> None:
    kill_and_look(pinfold, 4)


@pytest.mark.soak
def test_no_acknowledged_pin_is_lost_or_doubled_by_fifty_kills(pinfold: Pinfold) -> None:
    kill_and_look(pinfold, 50)
