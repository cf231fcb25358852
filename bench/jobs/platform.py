"""The platform under load, on SQLite and on PostgreSQL: lists, pins one by one and in bulk, uploads, two processes."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from bench.load import WARM_UP, Load, load, request_bytes
from bench.measure import Sample
from bench.model import Job, Results, Target, Workspace
from bench.programs import Plain
from bench.services import DATABASES, Service
from bench.sources import make_file

CONNECTIONS: Final = 32
"""Requests at the same time: more only wait longer."""
KEPT: Final = 1_000  # pins there while lists are read
BULK: Final = 10_000
TIMEOUT_S: Final = 600


@dataclass(slots=True)
class OnService:
    """A contender: ``work`` on a running service, which ``prepare`` made ready."""

    name: str
    service: Service
    work: Callable[[Service], Sample]
    prepare: Callable[[Service], None] = lambda service: None
    apis: int = 0

    def set_up(self) -> None:
        self.service.start(apis=self.apis)
        self.prepare(self.service)

    def before(self) -> None:
        pass

    def run(self) -> Sample:
        return self.work(self.service)

    def tear_down(self) -> None:
        self.service.stop()


def client_of(service: Service) -> httpx.Client:
    return httpx.Client(
        base_url=service.running[0].api_url,
        headers={"Authorization": f"Bearer {service.token}"},
        timeout=TIMEOUT_S,
    )


def _local_roots(service: Service, number: int) -> list[str]:
    """CIDs of so many small files that are in the store already, pinned by nobody there."""
    folder = service.home / "small"
    folder.mkdir()
    for n in range(number):
        (folder / f"{n:06d}").write_text(f"{service.home} {n} {time.time_ns()}")
    lines = service.pinfold("add", "--no-pin", str(folder))
    return [line.split()[1] for line in lines if line.startswith("added ")][:number]


def _bulk(service: Service, pins: Sequence[dict[str, Any]]) -> float:
    """Seconds that one call to pin all of these takes."""
    with client_of(service) as client:
        began = time.perf_counter()
        response = client.post("/api/v1/pins/bulk/add", json={"pins": list(pins)})
        seconds = time.perf_counter() - began
    response.raise_for_status()
    return seconds


def fill(service: Service) -> None:
    """Have ``KEPT`` pins there."""
    _bulk(service, [{"cid": cid, "name": f"pin {n}"} for n, cid in enumerate(_local_roots(service, KEPT))])
    _until_idle(service)


def _figures(prefix: str, measured: Load) -> dict[str, float]:
    return {
        f"{prefix} a second": measured.per_second,
        f"{prefix} p50 ms": measured.percentile_ms(50),
        f"{prefix} p95 ms": measured.percentile_ms(95),
        f"{prefix} p99 ms": measured.percentile_ms(99),
    }


def _ask(service: Service, path: str, number: int, apis: int = 1) -> Load:
    addresses = service.addresses(apis)
    requests = itertools.repeat(request_bytes(service.running[0].api_url + path, service.token))
    load(addresses, itertools.islice(requests, WARM_UP), CONNECTIONS)
    return load(addresses, itertools.islice(requests, number), CONNECTIONS)


def _worst(figure: str) -> Callable[[Results], float]:
    return lambda results: max(results.worst(name, figure) for name in DATABASES)


def _least(figure: str) -> Callable[[Results], float]:
    return lambda results: min(results.figure(name, figure) for name in DATABASES)


def lists(space: Workspace, scale: float) -> Job:
    """Ten pins a page, by our API and by the Pinning Service API."""
    number = max(200, int(10_000 * scale))

    def work(service: Service) -> Sample:
        ours = _ask(service, "/api/v1/pins?limit=10", number)
        psa = _ask(service, "/psa/pins?limit=10", number)
        sample = Sample(ours.seconds + psa.seconds, service.peak_bytes())
        sample.figures = _figures("v1", ours) | _figures("psa", psa)
        return sample

    return Job(
        name="platform-lists",
        title="GET /api/v1/pins and GET /psa/pins, 10 of 1,000 pins",
        amount=2 * number,
        unit="requests",
        contenders=[OnService(name, Service(space.folder(f"lists-{name}"), name), work, fill) for name in DATABASES],
        targets=[
            Target("our list, requests a second", _least("v1 a second"), "at least", 1500, ""),
            Target("our list, p95", _worst("v1 p95 ms"), "at most", 50, "ms"),
            Target("Pinning Service API, requests a second", _least("psa a second"), "at least", 1500, ""),
            Target("Pinning Service API, p95", _worst("psa p95 ms"), "at most", 50, "ms"),
        ],
        runs=3,
    )


def _until_idle(service: Service) -> None:
    """Wait until no pin is queued or under way."""
    with client_of(service) as client:
        for status in ("queued", "pinning"):
            while client.get("/api/v1/pins", params={"status": status, "limit": 1}).json()["data"]:
                time.sleep(0.2)


def pins(space: Workspace, scale: float) -> Job:
    """Ask for pins of content that is here, one a request; the worker pins meanwhile."""
    number = max(100, int(5_000 * scale))

    def work(service: Service) -> Sample:
        url = service.running[0].api_url + "/api/v1/pins"
        roots = _local_roots(service, number + WARM_UP)
        requests = [
            request_bytes(url, service.token, method="POST", body=json.dumps({"cid": cid, "name": cid[-9:]}).encode())
            for cid in roots
        ]
        load(service.addresses(), requests[:WARM_UP], CONNECTIONS)
        measured = load(service.addresses(), requests[WARM_UP:], CONNECTIONS)
        began = time.perf_counter()
        _until_idle(service)
        sample = Sample(measured.seconds, service.peak_bytes())
        sample.figures = _figures("pins", measured) | {"then all pinned after s": time.perf_counter() - began}
        _remove_sources(service)
        return sample

    return Job(
        name="platform-pins",
        title="POST /api/v1/pins of local content",
        amount=number,
        unit="pins",
        contenders=[OnService(name, Service(space.folder(f"pins-{name}"), name), work) for name in DATABASES],
        targets=[Target("pins accepted a second", _least("pins a second"), "at least", 500, "")],
        runs=3,
    )


def _remove_sources(service: Service) -> None:
    for path in (service.home / "small").iterdir():
        path.unlink()
    (service.home / "small").rmdir()


def bulk(space: Workspace, scale: float) -> Job:
    """10,000 pins of local content in one call."""
    number = max(100, int(BULK * scale))

    def work(service: Service) -> Sample:
        roots = _local_roots(service, number)
        seconds = _bulk(service, [{"cid": cid, "name": cid[-9:]} for cid in roots])
        began = time.perf_counter()
        _until_idle(service)
        sample = Sample(seconds, service.peak_bytes())
        sample.figures = {"then all pinned after s": time.perf_counter() - began}
        _remove_sources(service)
        return sample

    return Job(
        name="platform-bulk",
        title="10,000 pins in one call",
        amount=number,
        unit="pins",
        contenders=[OnService(name, Service(space.folder(f"bulk-{name}"), name), work) for name in DATABASES],
        targets=[
            Target(
                "the slower database",
                lambda results: max(results.seconds(name) for name in results.samples),
                "at most",
                5,
                "s",
            )
        ],
        runs=3,
    )


@dataclass(slots=True)
class Uploading:
    """Files to send, which must be new every time: a counter goes into the first bytes."""

    source: Path
    sent: int = 0
    times: list[float] = field(default_factory=list)

    def once(self, service: Service) -> Sample:
        """Send the whole file by PUT."""
        size = self.source.stat().st_size
        self.sent += 1
        with self.source.open("r+b") as file:
            file.write(f"{time.time_ns()}".encode())
        with client_of(service) as client, self.source.open("rb") as file:
            began = time.perf_counter()
            response = client.put(f"/api/v1/files/{self.sent}.bin", content=_chunks(file, size))
            seconds = time.perf_counter() - began
        response.raise_for_status()
        sample = Sample(seconds, service.peak_bytes())
        sample.figures = {"MB a second": size / seconds / 1e6}
        return sample


def _chunks(file: Any, size: int) -> Any:
    while chunk := file.read(1 << 20):
        yield chunk


def upload(space: Workspace, scale: float) -> Job:
    """One big file over loopback, beside what the disk does by itself."""
    size = max(1 << 20, int((1 << 30) * scale))
    source = Uploading(space.source(f"upload-{size}", make_file, 11, size))
    settings = {"max_upload_bytes": str(4 << 30)}
    return Job(
        name="platform-upload",
        title="upload of 1 GiB, one connection",
        amount=size,
        unit="bytes",
        contenders=[
            *[
                OnService(name, Service(space.folder(f"upload-{name}"), name, settings), source.once)
                for name in DATABASES
            ],
            Plain("cp + sync", 'cp "$1" "$2" && sync "$2"', space.folder("upload-cp"), (source.source,)),
        ],
        targets=[
            Target("bytes, MB a second", _least("MB a second"), "at least", 400, ""),
        ],
        runs=5,
    )


def two_processes(space: Workspace, scale: float) -> Job:
    """The same lists from one API process and from two; the client needs a part of a core as well."""
    number = max(200, int(10_000 * scale))

    def work(service: Service) -> Sample:
        one = _ask(service, "/api/v1/pins?limit=10", number, apis=1)
        two = _ask(service, "/api/v1/pins?limit=10", number, apis=2)
        sample = Sample(one.seconds + two.seconds, service.peak_bytes())
        sample.figures = {
            "one, a second": one.per_second,
            "two, a second": two.per_second,
            "two by one": two.per_second / one.per_second,
        }
        return sample

    return Job(
        name="platform-two",
        title="lists from two API processes",
        amount=2 * number,
        unit="requests",
        contenders=[
            OnService(name, Service(space.folder(f"two-{name}"), name), work, fill, apis=2) for name in DATABASES
        ],
        targets=[Target("two against one", _least("two by one"), "at least", 1.6)],
        runs=3,
    )
