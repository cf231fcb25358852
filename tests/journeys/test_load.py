"""A hundred uploads at once: all right, and in little memory."""

from __future__ import annotations

import hashlib
import random
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from pinfold import Node
from pinfold.node.model import AddOptions
from tests.support.cli import TIMEOUT_S, Pinfold
from tests.support.up import ColdUp, Up

UPLOADS = 100
BLOCK = 1 << 20
BLOCKS = 10
MOST_MEMORY = 400 << 20
BOUNDARY = "b0undary"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def content(number: int) -> Iterator[bytes]:
    """The bytes of one file: blocks that no other file has."""
    pattern = random.Random(0).randbytes(BLOCK)
    for block in range(BLOCKS):
        yield b"%8d %8d" % (number, block) + pattern[17:]


def form(number: int) -> Iterator[bytes]:
    """The file as a form."""
    head = f'Content-Disposition: form-data; name="file"; filename="{number}.bin"'
    yield f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode()
    yield from content(number)
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


def cids(home: Path) -> list[str]:
    """What the files' CIDs have to be."""
    with Node(home) as node:
        only_hash = AddOptions(only_hash=True)
        return [str(node.add_bytes(b"".join(content(number)), only_hash)) for number in range(UPLOADS)]


def digest(parts: Iterator[bytes]) -> bytes:
    """SHA-256 of parts."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.digest()


def test_a_hundred_uploads_at_once_are_all_right_in_little_memory(pinfold: Pinfold, database_url: str) -> None:
    together = threading.Barrier(UPLOADS)

    def upload(up: Up, number: int) -> str:
        with httpx.Client(base_url=up.api_url, headers=up.api.headers, timeout=TIMEOUT_S) as client:
            together.wait(TIMEOUT_S)
            if number % 2:
                response = client.post("/api/v1/files/upload", content=form(number), headers=FORM)
            else:
                response = client.put(f"/api/v1/files/{number}.bin", content=content(number))
        assert response.status_code == 201, response.text
        record = response.json()["data"]
        assert (record["name"], record["size"]) == (f"{number}.bin", BLOCK * BLOCKS)
        return str(record["cid"])

    try:
        with ColdUp(pinfold, database_url=database_url) as up:
            with ThreadPoolExecutor(UPLOADS) as threads:
                told = list(threads.map(lambda number: upload(up, number), range(UPLOADS)))
            for cid in told:
                up.until_pinned(cid)
            peak = up.resident_bytes()
            assert peak < MOST_MEMORY, f"{peak >> 20} MiB"
            print(f"peak memory {peak >> 20} MiB")
            assert told == cids(pinfold.home / "other")
            assert up.api.get("/api/v1/files").json()["pagination"]["total"] == UPLOADS
            for number in range(0, UPLOADS, 7):
                with up.gateway.stream("GET", f"/ipfs/{told[number]}") as stream:
                    assert digest(stream.iter_bytes()) == digest(content(number))
            assert up.stop() == 0
            assert "Traceback" not in up.log
    finally:
        shutil.rmtree(pinfold.data_dir)  # a gigabyte
