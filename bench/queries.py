"""``python -m bench.queries URL TOKEN``: how long lists, searches and status take on a database with many rows.

One ``pinfold api`` process answers one request at a time, on a database that ``bench.generate`` filled.  Values are
chosen anew for every request, so that a question is rarely asked twice.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import delete
from tests.support.cli import Pinfold
from tests.support.up import ColdUp

from bench import generate
from bench.report import table
from pinfold.db import Database
from pinfold.db.models import DataFolderRow

LIMIT_MS = 50
SEED = 7

Ask = Callable[[], tuple[str, dict[str, Any]]]


def questions(client: httpx.Client, dice: random.Random) -> dict[str, Ask]:
    """What is asked, by name: a path and its parameters."""
    words = generate.words()
    pins = client.get("/api/v1/pins", params={"limit": 1000}).json()["data"]
    files = client.get("/api/v1/files", params={"limit": 100}).json()["data"]
    psa, ours, uploads = "/psa/pins", "/api/v1/pins", "/api/v1/files"
    cursor = client.get(ours, params={"limit": 1000}).json()["pagination"]["next_cursor"]

    def word() -> str:
        return dice.choice(words)

    def times() -> str:
        return str(dice.choice(pins)["created_at"])

    return {
        "pins": lambda: (ours, {"limit": 10}),
        "pins, 1,000 a page": lambda: (ours, {"limit": 1000}),
        "pins, page 1,000": lambda: (ours, {"limit": 20, "page": 1000 + dice.randrange(1000)}),
        "pins behind a cursor": lambda: (ours, {"limit": 20, "cursor": cursor}),
        "pins that failed": lambda: (ours, {"status": "failed"}),
        "pins by a word of the name": lambda: (ours, {"name": word(), "match": "ipartial"}),
        "pins by two letters": lambda: (ours, {"name": word()[:2], "match": "ipartial"}),
        "pins by a rare part": lambda: (ours, {"name": f"{dice.randrange(10**6):06d}", "match": "partial"}),
        "pins by no name there is": lambda: (ours, {"name": f"{word()}q", "match": "ipartial"}),
        "pins by exact name": lambda: (ours, {"name": dice.choice(pins)["name"]}),
        "pins by metadata": lambda: (ours, {"metadata": f'{{"app": "app-{dice.randrange(1000)}"}}'}),
        "pins before a time": lambda: (ours, {"before": times()}),
        "pins by CID": lambda: (ours, {"cid": dice.choice(pins)["cid"]}),
        "status of a CID": lambda: (f"{ours}/{dice.choice(pins)['cid']}/status", {}),
        "psa: pinned": lambda: (psa, {}),
        "psa: of any status": lambda: (psa, {"status": "queued,pinning,pinned,failed", "limit": 100}),
        "psa: by a part of the name": lambda: (psa, {"name": word(), "match": "partial"}),
        "files": lambda: (uploads, {}),
        "files, page 1,000": lambda: (uploads, {"page": 1000 + dice.randrange(1000)}),
        "files by a word of the name": lambda: (uploads, {"search": word()}),
        "files by two letters": lambda: (uploads, {"search": word()[:2]}),
        "files by a rare part": lambda: (uploads, {"search": f"{dice.randrange(10**6):06d}"}),
        "files by no name there is": lambda: (uploads, {"search": f"{word()}q"}),
        "files that failed": lambda: (uploads, {"status": "failed"}),
        "files by status pinned": lambda: (uploads, {"status": "pinned"}),
        "files by type": lambda: (uploads, {"content_type": dice.choice(generate.KINDS)}),
        "files by family": lambda: (uploads, {"content_type": "image/*"}),
        "files by tag": lambda: (uploads, {"tag": f"tag-{dice.randrange(500)}"}),
        "files by tag and word": lambda: (uploads, {"tag": f"tag-{dice.randrange(500)}", "search": word()[:4]}),
        "files by type and word": lambda: (uploads, {"content_type": "image/png", "search": word()}),
        "files by name, a to z": lambda: (uploads, {"sort": "name"}),
        "files by size": lambda: (uploads, {"sort": "size"}),
        "a word, sorted by size": lambda: (uploads, {"search": word(), "sort": "size"}),
        "one file": lambda: (f"{uploads}/{dice.choice(files)['id']}", {}),
        "files by type, counted": lambda: (f"{uploads}/stats", {}),
    }


def ask_all(client: httpx.Client, requests: int, only: Sequence[str]) -> list[tuple[str, float, float, float]]:
    """Per question its name and p50, p95 and worst time in milliseconds."""
    figures = []
    for name, ask in questions(client, random.Random(SEED)).items():
        if only and not any(word in name for word in only):
            continue
        taken = []
        for number in range(requests + 3):
            path, parameters = ask()
            began = time.perf_counter()
            response = client.get(path, params=parameters)
            if number >= 3:
                taken.append((time.perf_counter() - began) * 1000)
            if response.status_code != 200:
                raise SystemExit(f"{name}: {response.status_code} {response.text[:500]}")
        taken.sort()
        figures.append((name, taken[len(taken) // 2], taken[int(len(taken) * 0.95)], taken[-1]))
        print(f"  {name}: p95 {figures[-1][2]:.1f} ms", file=sys.stderr, flush=True)
    return figures


def forget_folder(url: str) -> None:
    """Let the database belong to no data folder: each run has an empty one of its own."""
    database = Database(url)
    try:
        database.everybody.write_now(lambda session: session.execute(delete(DataFolderRow)))
    finally:
        database.close()


def main() -> int:
    """Ask, and print a table; 0 when every question stays below the limit."""
    parser = argparse.ArgumentParser(prog="python -m bench.queries", description="Time queries on many rows.")
    parser.add_argument("--requests", type=int, default=100, help="how often each is asked")
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="only questions with this in them")
    parser.add_argument("url", help="the database")
    parser.add_argument("token", help="what bench.generate printed")
    read = parser.parse_args()
    forget_folder(read.url)
    with tempfile.TemporaryDirectory(prefix="pinfold-queries-") as folder:
        settings = {"database_url": read.url, "log_level": "warning"}
        program = Pinfold(Path(folder))
        # The first process on a data folder compares its pins with the rows', whose content does not exist.
        with ColdUp(program, role="gateway"), ColdUp(program, role="api", token=read.token, **settings) as api:
            figures = ask_all(api.api, read.requests, read.only)
    rows = [[name, *(f"{figure:.1f}" for figure in times)] for name, *times in figures]
    print(table(["query", "p50 ms", "p95 ms", "worst ms"], rows))
    return int(any(p95 > LIMIT_MS for _, _, p95, _ in figures))


if __name__ == "__main__":
    sys.exit(main())
