"""What every engine promises; a test module subclasses ``EngineContract`` and makes the engine."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from pinfold.core import car
from pinfold.core.cid import CID, DAG_PB, RAW
from pinfold.core.codec import dag_pb
from pinfold.core.errors import BlockCorrupt, BlockNotFound, MalformedCar
from pinfold.engine import Engine, TrackerStatus
from tests.support.platform import run

MakeEngine = Callable[[], AbstractAsyncContextManager[Engine]]


def a_car(*blocks: tuple[CID, bytes]) -> io.BytesIO:
    """A CAR of blocks, the last being its root."""
    stream = io.BytesIO()
    stream.write(car.encode_header([blocks[-1][0].bytes]))
    for cid, data in blocks:
        stream.write(car.record_prefix(cid.bytes, len(data)) + data)
    stream.seek(0)
    return stream


def leaf(data: bytes) -> tuple[CID, bytes]:
    """A raw block."""
    return CID.of(data, codec=RAW), data


def parent(*children: CID) -> tuple[CID, bytes]:
    """A node above others."""
    links = [dag_pb.PBLink(child.bytes, b"", 1) for child in children]
    data = dag_pb.encode(dag_pb.PBNode(links, None))
    return CID.of(data, codec=DAG_PB), data


async def listed(pins: AsyncIterator[CID]) -> set[CID]:
    """Pins as a set."""
    return {cid async for cid in pins}


class EngineContract:
    """The suite."""

    @pytest.fixture
    def make_engine(self) -> MakeEngine:
        raise NotImplementedError

    def on(self, make_engine: MakeEngine, work: Callable[[Engine], Coroutine[Any, Any, None]]) -> None:
        async def go() -> None:
            async with make_engine() as engine:
                await work(engine)

        run(go())

    def test_what_was_put_can_be_pinned_and_is_listed(self, make_engine: MakeEngine) -> None:
        async def work(engine: Engine) -> None:
            child = leaf(b"child")
            root = parent(child[0])
            await engine.put_car(a_car(child, root))
            assert await listed(engine.pins()) == set()
            await engine.pin(root[0])
            assert await listed(engine.pins()) == {root[0]}
            statuses = await engine.status(root[0])
            assert TrackerStatus.PINNED in [one.status for one in statuses]
            assert {one.peer for one in statuses} <= set(await engine.peers())

        self.on(make_engine, work)

    def test_everything_may_be_repeated(self, make_engine: MakeEngine) -> None:
        async def work(engine: Engine) -> None:
            one = leaf(b"one")
            for _ in range(2):
                await engine.put_car(a_car(one))
            for _ in range(2):
                await engine.pin(one[0])
            for _ in range(2):
                await engine.unpin(one[0])
            assert await listed(engine.pins()) == set()

        self.on(make_engine, work)

    def test_what_was_never_pinned_can_be_unpinned_and_says_so(self, make_engine: MakeEngine) -> None:
        async def work(engine: Engine) -> None:
            cid, _ = leaf(b"never")
            await engine.unpin(cid)
            assert all(one.status is TrackerStatus.UNPINNED for one in await engine.status(cid))

        self.on(make_engine, work)

    def test_unpinning_one_root_keeps_another_that_shares_its_blocks(self, make_engine: MakeEngine) -> None:
        async def work(engine: Engine) -> None:
            child = leaf(b"shared")
            first, second = parent(child[0]), parent(child[0], child[0])
            await engine.put_car(a_car(child, first, second))
            await engine.pin(first[0])
            await engine.pin(second[0])
            await engine.unpin(first[0])
            assert await listed(engine.pins()) == {second[0]}
            assert (await engine.status(second[0]))[0].status is TrackerStatus.PINNED

        self.on(make_engine, work)

    def test_content_that_cannot_be_had_is_not_pinned(self, make_engine: MakeEngine) -> None:
        async def work(engine: Engine) -> None:
            root = parent(leaf(b"missing child")[0])
            await engine.put_car(a_car(root))
            with pytest.raises(BlockNotFound):
                await engine.pin(root[0])
            assert await listed(engine.pins()) == set()

        self.on(make_engine, work)

    def test_blocks_that_lie_are_refused(self, make_engine: MakeEngine) -> None:
        async def work(engine: Engine) -> None:
            with pytest.raises(BlockCorrupt):
                await engine.put_car(a_car((CID.of(b"claimed"), b"another")))
            with pytest.raises(MalformedCar):
                await engine.put_car(io.BytesIO(a_car(leaf(b"cut")).getvalue()[:-1]))

        self.on(make_engine, work)
