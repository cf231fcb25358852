from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from pinfold.core.cid import CID
from pinfold.core.errors import BlockNotFound, FetchFailed
from pinfold.engine import Engine, PinOptions, TrackerStatus
from pinfold.engine.embedded import EmbeddedEngine
from pinfold.node import Node
from pinfold.node.retrieval.model import RetrievalSettings
from pinfold.node.retrieval.retriever import Retriever
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


@pytest.mark.parametrize(
    ("gateways", "origins", "may_fetch", "error"),
    [
        ((), (), True, FetchFailed),
        ((), (), False, FetchFailed),
        ((), ("/ip4/192.0.2.1/tcp/4001",), False, FetchFailed),
        ((), ("/ip4/192.0.2.1/tcp/443/https",), False, BlockNotFound),
        (("https://gateway.invalid",), (), False, BlockNotFound),
    ],
)
def test_where_there_is_nobody_to_ask_it_is_said_before_anything_is_fetched(
    tmp_path: Path, gateways: tuple[str, ...], origins: tuple[str, ...], may_fetch: bool, error: type[Exception]
) -> None:
    async def go() -> None:
        with Node(tmp_path) as node, Retriever(node, RetrievalSettings(gateways=gateways)) as retriever:
            engine = EmbeddedEngine(node, pin_name="ours", retriever=retriever)
            with pytest.raises(error) as caught:
                await engine.pin(CID.of(b"nowhere"), PinOptions(may_fetch=may_fetch, origins=origins))
            if error is FetchFailed:
                assert str(CID.of(b"nowhere")) in str(caught.value)
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
