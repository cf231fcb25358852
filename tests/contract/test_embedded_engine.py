from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from pinfold.engine import Engine, TrackerStatus
from pinfold.engine.embedded import EmbeddedEngine
from pinfold.node import Node
from tests.contract.engine import EngineContract, MakeEngine, listed
from tests.support.platform import run


class TestEmbeddedEngine(EngineContract):
    @pytest.fixture
    def make_engine(self, tmp_path: Path) -> MakeEngine:
        @asynccontextmanager
        async def make() -> AsyncIterator[Engine]:
            with Node(tmp_path) as node:
                engine: Engine = EmbeddedEngine(node, pin_name="ours")
                yield engine
                await engine.close()

        return make


def test_a_pin_made_by_hand_counts_as_kept_and_is_left_alone(tmp_path: Path) -> None:
    async def go() -> None:
        with Node(tmp_path) as node:
            engine = EmbeddedEngine(node, pin_name="ours")
            cid = node.add_bytes(b"by hand")
            await engine.pin(cid)
            assert (await engine.status(cid))[0].status is TrackerStatus.PINNED
            assert await listed(engine.pins()) == set()
            await engine.unpin(cid)
            assert [pin.cid for pin in node.pin_ls(cids=(cid,))] == [cid]
            await engine.close()

    run(go())


def test_what_is_not_pinned_is_pinned_without_a_look_at_all_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def go() -> None:
        with Node(tmp_path / "data") as node:
            engine = EmbeddedEngine(node, pin_name="ours")
            below, _ = [added.cid for added in node.add([tmp_path / "folder"])]

            def look(*_: object) -> NoReturn:
                raise AssertionError("all pins were looked at")

            monkeypatch.setattr(type(node.store.pins), "rows", look)
            assert (await engine.status(below))[0].status is TrackerStatus.UNPINNED
            await engine.pin(below)
            assert (await engine.status(below))[0].status is TrackerStatus.PINNED
            await engine.unpin(below)
            await engine.close()

    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"below a pin")
    run(go())
