"""``kill -9`` while files come and go: what was acknowledged is there, and what was not leaves no bytes behind."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest

from tests.support.cli import Pinfold
from tests.support.up import PATIENCE_S, Up

UPLOADERS = 6
KILLS = 4
SOAK_KILLS = 50
SIZES = (1, 300, 70_000, 1_500_000, 3_000_000)
MOST_ANSWERS = 12  # of a life, before it may end
LONGEST_PAUSE_S = 0.1  # from an answer to the kill: about as long as an upload takes


@dataclass
class Told:
    """What was acknowledged."""

    here: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Ids of files, with what their content is made of."""
    gone: set[str] = field(default_factory=set)
    under_way: int = 0
    """Uploads and deletions that were cut off: each may have happened, or not."""
    answered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released at each answer."""


def content(seed: int, size: int) -> bytes:
    """The same bytes for the same seed."""
    return random.Random(seed).randbytes(size)


class Uploader:
    """Uploads files in several ways, and deletes some, until the server is gone."""

    def __init__(self, up: Up, told: Told, seed: int) -> None:
        self._up = up
        self._told = told
        self._seed = seed * 100_000
        self._random = random.Random(seed)
        self._mine: list[str] = []

    def __call__(self) -> None:
        """Work until the connection breaks."""
        with httpx.Client(base_url=self._up.api_url, headers=self._up.api.headers, timeout=60) as client:
            while True:
                try:
                    self._upload(client)
                    if self._mine and self._random.random() < 0.4:
                        self._delete(client)
                except httpx.TransportError:
                    return

    def _upload(self, client: httpx.Client) -> None:
        self._seed += 1
        size = self._random.choice(SIZES)
        data = content(self._seed, size)
        try:
            if self._random.random() < 0.5:
                response = client.post("/api/v1/files/upload", files={"file": ("a.bin", data)})
            else:
                response = client.put("/api/v1/files/b.bin", content=data)
        except httpx.TransportError:
            self._told.under_way += 1
            raise
        assert response.status_code in (200, 201), response.text
        record = response.json()["data"]
        self._mine.append(record["id"])
        self._told.here[record["id"]] = (self._seed, size)
        self._told.answered.release()

    def _delete(self, client: httpx.Client) -> None:
        gone = self._mine.pop(self._random.randrange(len(self._mine)))
        del self._told.here[gone]  # until it is answered, both are right
        self._told.under_way += 1
        assert client.delete(f"/api/v1/files/{gone}").status_code == 200
        self._told.under_way -= 1
        self._told.gone.add(gone)


def listed(up: Up) -> dict[str, str]:
    """CIDs of all files, by id."""
    found: dict[str, str] = {}
    cursor = ""
    while True:
        answer = up.api.get("/api/v1/files", params={"limit": 100, "cursor": cursor} if cursor else {"limit": 100})
        assert answer.status_code == 200, answer.text
        found.update((record["id"], record["cid"]) for record in answer.json()["data"])
        cursor = answer.json()["pagination"]["next_cursor"]
        if cursor is None:
            assert answer.json()["pagination"]["total"] == len(found)
            return found


def work_until_killed(up: Up, told: Told, seed: int, chance: random.Random) -> None:
    """Have several upload at once, and kill the server under them."""
    told.answered = threading.Semaphore(0)
    uploaders: list[Callable[[], None]] = [Uploader(up, told, seed * UPLOADERS + one) for one in range(UPLOADERS)]
    threads = [threading.Thread(target=uploader) for uploader in uploaders]
    for thread in threads:
        thread.start()
    for _ in range(chance.randint(0, MOST_ANSWERS)):
        assert told.answered.acquire(timeout=PATIENCE_S)
    time.sleep(chance.uniform(0, LONGEST_PAUSE_S))
    up.process.kill()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def kill_again_and_again(pinfold: Pinfold, kills: int, database_url: str) -> None:
    """The claims, after so many kills."""
    told, chance, token = Told(), random.Random(kills), ""
    for number in range(kills):
        with Up(pinfold, token=token, database_url=database_url) as up:
            token = up.token
            work_until_killed(up, told, number, chance)
        assert "Traceback" not in up.log, up.log
    with Up(pinfold, token=token, database_url=database_url) as up:
        files = listed(up)
        assert told.here.keys() <= files.keys()
        assert not told.gone & files.keys()
        assert len(files) - len(told.here) <= told.under_way
        for file_id, (seed, size) in told.here.items():
            assert up.gateway.get(f"/ipfs/{files[file_id]}").content == content(seed, size)
        for cid in set(files.values()):
            up.until_pinned(cid)
        assert up.stop() == 0
    print(f"{kills} kills, {len(told.here)} files here, {len(told.gone)} deleted, {told.under_way} cut off")
    assert len(told.here) >= kills, "too few were acknowledged to say anything"
    assert pinfold("repo", "verify").code == 0
    pinfold("repo", "gc")
    kept = {line.split()[0] for line in pinfold("pin", "ls", "--type", "recursive").lines}
    assert kept == set(files.values())
    reached = pinfold("dag", "stat", "--json", *sorted(kept)).json
    held = pinfold("repo", "stat", "--json").json
    assert held["blocks"] == reached["unique_blocks"], "what nobody was told of is still here"
    assert not [path for path in (pinfold.data_dir / "uploads").rglob("*") if path.is_file()]


def test_kills_during_uploads_lose_nothing_and_leave_nothing(pinfold: Pinfold, database_url: str) -> None:
    kill_again_and_again(pinfold, KILLS, database_url)


@pytest.mark.soak
def test_fifty_kills_during_uploads_lose_nothing_and_leave_nothing(pinfold: Pinfold, database_url: str) -> None:
    kill_again_and_again(pinfold, SOAK_KILLS, database_url)
