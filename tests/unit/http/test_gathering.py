"""Small writes that leave together."""

from __future__ import annotations

import asyncio

import pytest

from pinfold.http.gathering import Gathering


class Wire(asyncio.Transport):
    """A connection that keeps what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.told.append(bytes(data))

    def close(self) -> None:
        self.told.append("close")

    def abort(self) -> None:
        self.told.append("abort")

    def is_closing(self) -> bool:
        return "close" in self.told


async def gathering() -> tuple[Gathering, Wire]:
    wire = Wire()
    return Gathering(wire, asyncio.get_running_loop()), wire


def test_head_and_body_are_one_write() -> None:
    async def story() -> None:
        connection, wire = await gathering()
        connection.write(b"head ")
        connection.write(b"body")
        assert wire.told == [b"head body"]
        await asyncio.sleep(0)
        assert wire.told == [b"head body"]

    asyncio.run(story())


def test_head_without_a_body_leaves_at_the_next_turn_of_the_loop() -> None:
    async def story() -> None:
        connection, wire = await gathering()
        connection.write(b"head")
        assert wire.told == []
        await asyncio.sleep(0)
        assert wire.told == [b"head"]

    asyncio.run(story())


def test_empty_body_does_not_let_go_of_the_head_twice() -> None:
    async def story() -> None:
        connection, wire = await gathering()
        connection.write(b"head")
        connection.write(b"")
        await asyncio.sleep(0)
        assert wire.told == [b"head"]

    asyncio.run(story())


@pytest.mark.parametrize("size", [(16 << 10) - 1, 16 << 10, 1 << 20])
def test_order_is_kept_whatever_the_size(size: int) -> None:
    async def story() -> None:
        connection, wire = await gathering()
        connection.write(b"head")
        connection.write(bytes(size))
        connection.write(b"tail")
        connection.write(bytes(size))
        connection.close()
        assert b"".join(told for told in wire.told if isinstance(told, bytes)) == b"head" + bytes(
            size
        ) + b"tail" + bytes(size)
        assert wire.told[-1] == "close"
        assert connection.is_closing()

    asyncio.run(story())


def test_close_writes_what_is_held() -> None:
    async def story() -> None:
        connection, wire = await gathering()
        connection.write(b"head")
        connection.close()
        await asyncio.sleep(0)
        assert wire.told == [b"head", "close"]

    asyncio.run(story())


def test_abort_writes_nothing_more() -> None:
    async def story() -> None:
        connection, wire = await gathering()
        connection.write(b"head")
        connection.abort()
        await asyncio.sleep(0)
        assert wire.told == ["abort"]

    asyncio.run(story())


def test_buffer_may_be_used_again_at_once() -> None:
    async def story() -> None:
        connection, wire = await gathering()
        buffer = bytearray(b"head")
        connection.write(buffer)
        buffer[:] = b"gone"
        await asyncio.sleep(0)
        assert wire.told == [b"head"]

    asyncio.run(story())
