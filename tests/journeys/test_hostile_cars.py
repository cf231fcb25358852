"""What a CAR holds decides how long its import takes, never how much memory."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pinfold import Node
from pinfold.core.car import encode_header, read, record_prefix
from pinfold.node import car_import
from pinfold.store import writer
from tests.support.cli import Pinfold

_HEADS = 256
_MOST_ANONYMOUS = 280 << 20
"""Without the mapped catalogue, whose pages the system takes back: 34 MB of such nodes took 434 MiB, now 176."""


def _node(cids: list[bytes]) -> bytes:
    count = len(cids)
    head = bytes([0x80 | count]) if count < 24 else b"\x98" + bytes([count]) if count < 256 else b""
    head = head or b"\x99" + count.to_bytes(2, "big")
    return head + b"".join(b"\xd8\x2a\x58\x25\x00" + cid for cid in cids)


def _cid(data: bytes, codec: int = 0x71) -> bytes:
    return bytes([1, codec, 0x12, 0x20]) + hashlib.sha256(data).digest()


def _chains(size_bytes: int) -> Iterator[tuple[bytes, bytes]]:
    """Nodes of one link each, in long chains that the root joins."""
    tips: list[bytes] = []
    for number in range(_HEADS):
        data = b"\x1a" + (number + (1 << 16)).to_bytes(4, "big")
        tips.append(_cid(data))
        yield tips[-1], data
    done = 0
    while done < size_bytes:
        for number, tip in enumerate(tips):
            data = _node([tip])
            tips[number] = _cid(data)
            done += 36 + len(data)
            yield tips[number], data
    yield _cid(_node(tips)), _node(tips)


def _tiny_nodes(size_bytes: int) -> Iterator[tuple[bytes, bytes]]:
    """Nodes of five bytes under nodes of 1000 links."""
    done, number, leaves, tops = 0, 1 << 16, list[bytes](), list[bytes]()
    while done < size_bytes:
        data = b"\x1a" + number.to_bytes(4, "big")
        number += 1
        leaves.append(_cid(data))
        done += 36 + len(data)
        yield leaves[-1], data
        if len(leaves) == 1000:
            tops.append(_cid(_node(leaves)))
            yield tops[-1], _node(leaves)
            leaves = []
    tops += leaves
    yield _cid(_node(tops)), _node(tops)


def _write_car(path: Path, blocks: Iterator[tuple[bytes, bytes]]) -> None:
    body = io.BytesIO()
    cid = b""
    for cid, data in blocks:
        body.write(record_prefix(cid, len(data)))
        body.write(data)
    path.write_bytes(encode_header([cid]) + body.getvalue())


def _tiny_leaves(size_bytes: int) -> Iterator[tuple[bytes, bytes]]:
    """Raw blocks of four bytes under nodes of a thousand links."""
    done, tops = 0, list[bytes]()
    while done < size_bytes:
        leaves = [(done + number).to_bytes(4, "big") for number in range(1000)]
        yield from ((_cid(data, 0x55), data) for data in leaves)
        links = _node([_cid(data, 0x55) for data in leaves])
        tops.append(_cid(links))
        yield tops[-1], links
        done += 80_000
    yield _cid(_node(tops)), _node(tops)


Blocks = Callable[[int], Iterator[tuple[bytes, bytes]]]


@pytest.mark.parametrize("blocks", [_chains, _tiny_nodes, _tiny_leaves])
def test_memory_of_an_import_does_not_grow_with_its_nodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: Blocks
) -> None:
    monkeypatch.setattr(writer, "_MAX_PENDING", 2000)
    monkeypatch.setattr(car_import, "_KEPT_LINKS", 2000)
    monkeypatch.setattr(car_import, "_RUN_BYTES", 1 << 16)
    monkeypatch.setattr(read, "_RUN_RECORDS", 500)
    monkeypatch.setattr(read, "_MAX_SECTION_BYTES", 1 << 16)
    monkeypatch.setattr(read, "READ_BYTES", 1 << 16)
    peaks = []
    for size_bytes in (300_000, 900_000):  # both longer than the buffers
        car = tmp_path / f"{size_bytes}.car"
        _write_car(car, blocks(size_bytes))
        with Node(tmp_path / f"data-{size_bytes}") as node, car.open("rb") as stream:
            tracemalloc.start()
            try:
                imported = node.dag_import(stream)
                peaks.append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
            assert node.dag_stat(imported.roots).unique_blocks == imported.blocks
    assert peaks[1] - peaks[0] < 1 << 20  # 8,000 nodes more took 2 to 3 MiB when every link was kept


def test_a_large_import_of_tiny_nodes_takes_bounded_memory(pinfold: Pinfold) -> None:
    car = pinfold.work / "hostile.car"
    _write_car(car, _tiny_nodes(16 << 20))
    child = subprocess.Popen(
        [sys.executable, "-m", "pinfold", "dag", "import", str(car)], env=pinfold.environment, stdout=subprocess.DEVNULL
    )
    most = 0
    status = Path(f"/proc/{child.pid}/status")
    while child.poll() is None:
        found = re.search(r"RssAnon:\s+(\d+)", status.read_text())  # absent once it has ended and waits to be reaped
        most = max(most, int(found[1]) << 10 if found else 0)
        time.sleep(0.02)
    assert child.returncode == 0
    assert 0 < most < _MOST_ANONYMOUS
