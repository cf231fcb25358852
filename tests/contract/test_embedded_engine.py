from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

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
