"""What the check on reading costs: a cached file through the gateway, as it is and without hashing.

Without hashing runs the same program with the comparison of the hash taken out; there is no setting for that.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bench.jobs.platform import OnService
from bench.load import WARM_UP, load, request_bytes
from bench.measure import Sample
from bench.model import Job, Results, Target, Workspace
from bench.services import Service, environment

SIZES: Final = {"1 KiB": 1 << 10, "100 KiB": 100 << 10, "1 MiB": 1 << 20}
GETS: Final = 3_000
HASHED, UNHASHED = "pinfold", "pinfold, unhashed"
# The interpreter runs this at its start, before any module of the program is there.
_TAKE_OUT: Final = """
import pinfold.store.store as store
store.matches = lambda multihash, data: True
"""


@dataclass(slots=True)
class _Unhashed(Service):
    def start(self, *, apis: int = 0) -> None:
        folder = self.home.with_name(self.home.name + "-start")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sitecustomize.py").write_text(_TAKE_OUT)
        with environment({"PYTHONPATH": str(folder)}):
            Service.start(self, apis=apis)


def _processor_seconds(pid: int) -> float:
    """Of one process, in user mode and in the kernel, since its start."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cached_file(space: Workspace, scale: float) -> Job:
    """GET cached files of several sizes, one connection."""
    count = max(50, int(GETS * scale))

    def work(service: Service) -> Sample:
        parts = urlsplit(service.running[0].gateway_url)
        address = (parts.hostname or "", parts.port or 0)
        figures: dict[str, float] = {}
        seconds = 0.0
        for title, size in SIZES.items():
            path = service.home / title
            if not path.exists():
                path.write_bytes(os.urandom(size))
            cid = service.pinfold("add", "-Q", str(path))[-1]
            request = request_bytes(f"{service.running[0].gateway_url}/ipfs/{cid}", "")
            load([address], [request] * WARM_UP, 1)
            before = _processor_seconds(service.running[0].process.pid)
            measured = load([address], [request] * count, 1)
            used = _processor_seconds(service.running[0].process.pid) - before
            figures[f"{title}, median ms"] = measured.percentile_ms(50)
            figures[f"{title}, processor ms"] = 1000 * used / count
            seconds += measured.seconds
        return Sample(seconds, service.peak_bytes(), figures=figures)

    def cost(title: str) -> Target:
        def more(results: Results) -> float:
            figure = f"{title}, processor ms"  # what others do on the machine moves it least
            return 100 * (results.figure(HASHED, figure) / results.figure(UNHASHED, figure) - 1)

        return Target(f"hashing adds to a GET of {title}", more, "at most", 10 if title == "100 KiB" else 100, "%")

    name = "gateway-hash"
    return Job(
        name=name,
        title="GET cached files through the gateway",
        amount=count * len(SIZES),
        unit="requests",
        contenders=[
            OnService(HASHED, Service(space.folder(f"{name}-hashed"), "SQLite"), work),
            OnService(UNHASHED, _Unhashed(space.folder(f"{name}-unhashed"), "SQLite"), work),
        ],
        targets=[cost(title) for title in SIZES],
        runs=5,
    )
