"""A list of every pin, as each server gives it: ours by both doors and on both databases, Kubo's and IPFS Cluster's.

Cluster is there where ``python -m engines.install cluster`` could bring it; else its rows are left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from engines.get_cluster import CLUSTER
from tests.support.kubo import Kubo

from bench.jobs.platform import KEPT, TIMEOUT_S, OnService, client_of, fill
from bench.measure import BenchFailed, Sample
from bench.model import Job, Workspace, remove
from bench.services import DATABASES, Service

LISTS = 200
START_TIMEOUT_S = 60


@dataclass(slots=True)
class OnPeer:
    """A contender: another program with as many pins, asked by its own HTTP API."""

    name: str
    home: Path
    serve: Callable[[Path], contextlib.AbstractContextManager[str]]
    """Has it run in a folder, with its pins; where it listens."""
    work: Callable[[httpx.Client], Sample]
    _held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _url: str = ""

    def set_up(self) -> None:
        remove(self.home)
        self.home.mkdir(parents=True)
        self._url = self._held.enter_context(self.serve(self.home))

    def before(self) -> None:
        pass

    def run(self) -> Sample:
        with httpx.Client(base_url=self._url, timeout=TIMEOUT_S) as client:
            return self.work(client)

    def tear_down(self) -> None:
        self._held.close()
        remove(self.home)


@contextlib.contextmanager
def _kubo(home: Path) -> Iterator[str]:
    kubo = Kubo(home / "kubo")
    _add_roots(kubo, home)
    kubo.start_daemon("--offline")
    try:
        yield kubo.api_url
    finally:
        kubo.stop()


def _add_roots(kubo: Kubo, home: Path) -> list[str]:
    """The CIDs of ``KEPT`` small files, pinned."""
    folder = home / "small"
    folder.mkdir()
    for n in range(KEPT):
        (folder / f"{n:06d}").write_text(f"{n} {time.time_ns()}")
    paths = sorted(folder.iterdir())
    return [cid for at in range(0, KEPT, 250) for cid in kubo.text("add", "-q", *paths[at : at + 250]).split()]


@contextlib.contextmanager
def _cluster(home: Path) -> Iterator[str]:
    """One peer over one Kubo, with its pins."""
    kubo = Kubo(home / "kubo")
    roots = _add_roots(kubo, home)
    kubo.start_daemon("--offline")
    rest, swarm, proxy, pinning = _free_ports(4)
    port = kubo.api_url.rsplit(":", 1)[1]
    environment = dict(
        os.environ,
        IPFS_CLUSTER_PATH=str(home / "cluster"),
        CLUSTER_LISTENMULTIADDRESS=f"/ip4/127.0.0.1/tcp/{swarm}",
        CLUSTER_RESTAPI_HTTPLISTENMULTIADDRESS=f"/ip4/127.0.0.1/tcp/{rest}",
        CLUSTER_IPFSPROXY_LISTENMULTIADDRESS=f"/ip4/127.0.0.1/tcp/{proxy}",
        CLUSTER_PINSVCAPI_HTTPLISTENMULTIADDRESS=f"/ip4/127.0.0.1/tcp/{pinning}",
        CLUSTER_IPFSPROXY_NODEMULTIADDRESS=f"/ip4/127.0.0.1/tcp/{port}",
        CLUSTER_IPFSHTTP_NODEMULTIADDRESS=f"/ip4/127.0.0.1/tcp/{port}",
        CLUSTER_MDNSINTERVAL="0",
    )
    quiet: dict[str, Any] = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([CLUSTER, "init", "--consensus", "crdt"], check=True, stdin=subprocess.DEVNULL, **quiet)
    daemon = subprocess.Popen([CLUSTER, "daemon"], stdin=subprocess.DEVNULL, **quiet)
    url = f"http://127.0.0.1:{rest}"
    try:
        with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
            _until(lambda: _answers(client, "/id"))
            for cid in roots:
                client.post(f"/pins/{cid}").raise_for_status()
            _until(lambda: len(_lines(client.get("/allocations"))) >= KEPT)
        yield url
    finally:
        daemon.terminate()
        daemon.wait(START_TIMEOUT_S)
        kubo.stop()


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [one.getsockname()[1] for one in sockets]


def _answers(client: httpx.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == 200
    except httpx.TransportError:
        return False


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while not is_so():
        if time.monotonic() > end:
            raise BenchFailed("IPFS Cluster does not come up")
        time.sleep(0.1)


def _lines(response: httpx.Response) -> list[Any]:
    """What a stream of JSON values says."""
    return [json.loads(line) for line in response.raise_for_status().text.splitlines() if line]


def listings(space: Workspace, scale: float) -> Job:
    """All of 1,000 pins, one request after the other."""
    number = max(10, int(LISTS * scale))

    def asked(client: httpx.Client, method: str, path: str, entries: Callable[[httpx.Response], int]) -> Sample:
        began = time.perf_counter()
        for _ in range(number):
            if entries(client.request(method, path).raise_for_status()) < KEPT:
                raise BenchFailed(f"{path} does not list all {KEPT} pins")
        seconds = time.perf_counter() - began
        return Sample(seconds, 0, figures={"ms a list": seconds / number * 1000})

    def ours(path: str, key: str) -> Callable[[Service], Sample]:
        def work(service: Service) -> Sample:
            with client_of(service) as client:
                sample = asked(client, "GET", path, lambda response: len(response.json()[key]))
            sample.peak_bytes = service.peak_bytes()
            return sample

        return work

    def kubos(client: httpx.Client) -> Sample:
        return asked(client, "POST", "/api/v0/pin/ls?type=recursive", lambda response: len(response.json()["Keys"]))

    def clusters(path: str) -> Callable[[httpx.Client], Sample]:
        return lambda client: asked(client, "GET", path, lambda response: len(_lines(response)))

    allocations = OnPeer("Cluster, /allocations", space.folder("all-cluster"), _cluster, clusters("/allocations"))
    statuses = OnPeer("Cluster, /pins", space.folder("all-status"), _cluster, clusters("/pins?local=true"))
    doors = {"v1": ("/api/v1/pins?limit=1000", "data"), "psa": ("/psa/pins?limit=1000", "results")}
    return Job(
        name="listings",
        title="a list of all of 1,000 pins",
        amount=number,
        unit="lists",
        contenders=[
            *[
                OnService(f"{name}, {door}", Service(space.folder(f"all-{name}-{door}"), name), ours(*where), fill)
                for name in DATABASES
                for door, where in doors.items()
            ],
            OnPeer("Kubo, pin/ls", space.folder("all-kubo"), _kubo, kubos),
            *([allocations, statuses] if CLUSTER.exists() else []),
        ],
        targets=[],
        runs=3,
    )
