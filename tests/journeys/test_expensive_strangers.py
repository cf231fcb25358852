"""Work that costs a server much and its caller nothing, beside a reader who wants five bytes."""

from __future__ import annotations

import statistics
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from pinfold.core.cid import CID
from pinfold.unixfs.dag import Entry
from pinfold.unixfs.hamt import build_shards
from pinfold.unixfs.profile import profile
from tests.support.cars import RawBlock, car_v1, raw_block
from tests.support.cli import TIMEOUT_S, Pinfold
from tests.support.up import PATIENCE_S, ColdUp, Up

NAMES = 100_000
LISTINGS = 16
MOST_BYTES = 400 << 20


def large_folder(path: Path) -> CID:
    """Write a CAR of a sharded folder of ``NAMES`` names; its CID."""
    leaf = raw_block(b"five!")
    blocks = [leaf]
    entries = [Entry(b"entry-%06d.txt" % number, leaf.cid, 5) for number in range(NAMES)]
    root = build_shards(entries, profile(), lambda cid, data: blocks.append(RawBlock(cid, data)))
    path.write_bytes(car_v1(blocks, [root.cid]))
    return CID.from_bytes(root.cid)


def picture_of_many_pixels(side: int, shade: int) -> bytes:
    """A PNG of a few hundred KB that unpacks to four bytes for each of ``side`` times ``side`` pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    packer, line = zlib.compressobj(1), b"\0" + bytes((shade, 0, 0, 255)) * side
    body = b"".join(packer.compress(line) for _ in range(side)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def until_done(up: Up, job: str) -> dict[str, object]:
    """What came of a job."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        answer: dict[str, object] = up.api.get(f"/api/v1/jobs/{job}").json()["data"]
        if answer["status"] in ("done", "failed"):
            return answer
        time.sleep(0.1)
    raise AssertionError(answer)


def test_listings_of_large_folders_and_large_pictures_hold_up_no_small_file_and_fill_no_memory(
    pinfold: Pinfold, tmp_path: Path
) -> None:
    folder = large_folder(tmp_path / "folder.car")
    pinfold("dag", "import", str(tmp_path / "folder.car"))
    with ColdUp(pinfold) as up:
        small = up.upload(b"hello", "small.txt")["cid"]
        pictures = [up.upload(picture_of_many_pixels(side, 9), f"{side}.png") for side in (5_800, 6_000, 7_900)]
        before = up.gateway.get(f"/ipfs/{small}", timeout=TIMEOUT_S)
        assert before.content == b"hello"
        jobs = [up.api.post(f"/api/v1/files/{one['id']}/similar").json()["data"]["id"] for one in pictures]
        listed = threading.Event()

        def look(number: int) -> str:
            page = httpx.get(f"{up.gateway_url}/ipfs/{folder}/?page={number + 1}", timeout=TIMEOUT_S)
            listed.set()
            assert page.status_code == 200, page.text
            return page.text

        with ThreadPoolExecutor(LISTINGS) as strangers:
            looking = [strangers.submit(look, number) for number in range(LISTINGS)]
            waited = []
            while not all(one.done() for one in looking):
                began = time.monotonic()
                assert up.gateway.get(f"/ipfs/{small}").content == b"hello"
                waited.append(time.monotonic() - began)
            pages = [one.result() for one in looking]
        for number, page in enumerate(pages):
            assert f"entry-{number * 1000:06d}.txt" in page
            assert f"entry-{number * 1000 + 999:06d}.txt" in page
        # It waited 29 to 44 s behind the listings.  A median of milliseconds on a quiet machine; this one is shared.
        assert statistics.median(waited) < 1.0, waited
        assert len(waited) >= 3, waited
        for job in jobs:
            assert until_done(up, job)["status"] == "done"
        assert up.resident_bytes() < MOST_BYTES, f"{up.resident_bytes() >> 20} MiB"
        assert up.stop() == 0
        assert "Traceback" not in up.log
