"""A bit flips on the disk of a running server: nobody is sent it, and every way in mends it."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.cli import Pinfold
from tests.support.up import Up

LEAF = 1 << 20
CONTENT = random.Random(11).randbytes(2 * LEAF + 1000)


@pytest.fixture
def up(pinfold: Pinfold) -> Iterator[Up]:
    with Up(pinfold) as running:
        yield running
        assert running.stop() == 0
        assert "Traceback" not in running.log


def flip(pinfold: Pinfold, leaf: int) -> None:
    """Flip a bit in a copy of a leaf of ``CONTENT``: in the newest one, which is the one that counts."""
    piece = CONTENT[leaf * LEAF : (leaf + 1) * LEAF]
    for path in sorted((pinfold.data_dir / "segments").glob("*.car"), reverse=True):
        at = path.read_bytes().rfind(piece)
        if at >= 0:
            with open(path, "r+b") as segment:
                os.pwrite(segment.fileno(), bytes([piece[500] ^ 1]), at + 500)
            return
    raise AssertionError("no segment holds that leaf")


def upload(up: Up, folder: Path) -> None:
    answer = up.api.post("/api/v1/files/upload", files={"file": ("a.bin", CONTENT)})
    assert answer.status_code in (200, 201), answer.text


def upload_car(up: Up, folder: Path) -> None:
    answer = up.api.post(
        "/api/v1/files/car",
        content=(folder / "whole.car").read_bytes(),
        headers={"Content-Type": "application/vnd.ipld.car"},
    )
    assert answer.status_code in (200, 201), answer.text


def push(up: Up, folder: Path) -> None:
    user = Pinfold(folder / "user")
    user.write("a.bin", CONTENT)
    user("push", "a.bin", env={"PINFOLD_SERVER": up.api_url, "PINFOLD_TOKEN": up.token})


def resumable(up: Up, folder: Path) -> None:
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(CONTENT))}
    made = up.api.post("/api/v1/files/tus", headers=headers)
    assert made.status_code == 201, made.text
    fields = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    sent = up.api.patch(made.headers["location"], content=CONTENT, headers=fields)
    assert sent.status_code == 204, sent.text


def test_damage_is_never_served_and_every_way_in_mends_it(pinfold: Pinfold, up: Up, tmp_path: Path) -> None:
    upload(up, tmp_path)
    cid = up.api.get("/api/v1/files").json()["data"][0]["cid"]
    up.until_pinned(cid)
    pinfold("dag", "export", "-o", str(tmp_path / "whole.car"), cid)
    ways: list[Callable[[Up, Path], None]] = [push, upload, upload_car, resumable]
    for way in ways:
        flip(pinfold, 0)
        damaged = up.gateway.get(f"/ipfs/{cid}") if way is not push else up.gateway.head(f"/ipfs/{cid}")
        assert damaged.status_code == 500, way
        assert "etag" not in damaged.headers
        assert damaged.headers["cache-control"] == "no-store"
        way(up, tmp_path)
        healed = up.gateway.get(f"/ipfs/{cid}")
        assert (healed.status_code, healed.content == CONTENT) == (200, True), way
    flip(pinfold, 2)
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        up.gateway.get(f"/ipfs/{cid}")
    assert up.gateway.get(f"/ipfs/{cid}", headers={"Range": "bytes=0-99"}).content == CONTENT[:100]
    push(up, tmp_path)  # what the gateway met is known, so the leaf is asked for
    flip(pinfold, 1)
    push(up, tmp_path)  # and what nobody has met yet is found by the push itself
    assert up.gateway.get(f"/ipfs/{cid}").content == CONTENT
    assert pinfold("repo", "verify").code == 0
    open_to_others = [path for path in pinfold.data_dir.rglob("*") if path.lstat().st_mode & 0o077]
    assert open_to_others == []
