"""An import that is refused leaves no block, however much of it was stored already."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pinfold import Node
from pinfold.core.errors import BlockCorrupt, BlockNotFound, MalformedCar, PinfoldError
from pinfold.store import writer
from tests.support.cars import RawBlock, car_v1, raw_block, raw_blocks, record
from tests.support.store_worker import content

GOOD = raw_blocks(3000, 200)
LINKED = raw_block(b"linked by nobody here")

REFUSED: dict[str, tuple[bytes, type[PinfoldError]]] = {
    "a corrupt block at the end": (car_v1([*GOOD, RawBlock(LINKED.cid, b"other bytes")]), BlockCorrupt),
    "cut off at the end": (car_v1(GOOD)[:-1], MalformedCar),
    "noise at the end": (car_v1(GOOD) + b"\xff" * 20, MalformedCar),
    "a root that is not there": (car_v1(GOOD, [LINKED.cid]), BlockNotFound),
}


@pytest.mark.parametrize("kept_in_memory", [500, 1 << 20])
@pytest.mark.parametrize("kind", REFUSED)
def test_a_refused_import_leaves_no_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, kept_in_memory: int
) -> None:
    monkeypatch.setattr(writer, "_MAX_PENDING", kept_in_memory)
    monkeypatch.setattr(writer, "BATCH_ROWS", 300)
    data, error = REFUSED[kind]
    with Node(tmp_path / "data") as node:
        kept = node.add_bytes(content(1, 50_000))
        shared = node.block_put(GOOD[7].data)  # of the CAR, and here before it: it stays
        before, journal = node.repo_stat(), (tmp_path / "data" / "pins.journal").read_bytes()
        with pytest.raises(error):
            node.dag_import(io.BytesIO(data))
        after = node.repo_stat()
        assert (after.blocks, after.block_bytes, after.pins) == (before.blocks, before.block_bytes, before.pins)
        assert (tmp_path / "data" / "pins.journal").read_bytes() == journal
        assert node.has(shared) and b"".join(node.cat(kept)) == content(1, 50_000)
        assert node.verify().ok
        node.gc()
        assert node.repo_stat().dead_bytes <= len(record(GOOD[7]))
        node.dag_import(io.BytesIO(car_v1(GOOD)))
        assert node.verify().ok
