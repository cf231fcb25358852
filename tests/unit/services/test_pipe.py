from __future__ import annotations

import asyncio
import hashlib
import random

import pytest

from pinfold.services.files.pipe import HIGH_WATER_BYTES, BytePipe


def test_what_is_sent_is_read_whatever_the_sizes() -> None:
    seed = random.Random(1)
    data = seed.randbytes(5 << 20)

    async def go() -> tuple[bytes, list[int]]:
        pipe = BytePipe()
        sizes: list[int] = []

        def reader() -> bytes:
            digest = hashlib.sha256()
            while chunk := pipe.read(700_001):
                sizes.append(len(chunk))
                digest.update(chunk)
            return digest.digest()

        reading = asyncio.create_task(asyncio.to_thread(reader))
        at = 0
        while at < len(data):
            size = seed.randrange(1, 200_000)
            await pipe.send(data[at : at + size])
            at += size
        pipe.end()
        return await reading, sizes

    digest, sizes = asyncio.run(go())
    assert digest == hashlib.sha256(data).digest()
    assert all(size == 700_001 for size in sizes[:-1])


def test_a_slow_reader_stops_the_writer() -> None:
    async def go() -> int:
        pipe = BytePipe()
        sent = 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                while True:
                    await pipe.send(b"x" * 65_536)
                    sent += 65_536
        return sent

    assert asyncio.run(go()) == HIGH_WATER_BYTES


def test_a_failed_pipe_raises_in_the_reader_even_while_it_waits() -> None:
    async def go() -> None:
        pipe = BytePipe()
        reading = asyncio.create_task(asyncio.to_thread(pipe.read, 10))
        await pipe.send(b"abc")
        pipe.fail(ConnectionError("gone"))
        with pytest.raises(ConnectionError, match="gone"):
            await reading

    asyncio.run(go())


def test_an_abandoned_pipe_never_blocks_its_writer() -> None:
    async def go() -> None:
        pipe = BytePipe()
        await pipe.send(b"x" * HIGH_WATER_BYTES)
        waiting = asyncio.create_task(pipe.send(b"y"))
        await asyncio.sleep(0)
        pipe.abandon()
        await waiting
        for _ in range(3):
            await pipe.send(b"x" * HIGH_WATER_BYTES)

    asyncio.run(go())


def test_readinto_and_read_all_agree_with_read() -> None:
    async def go() -> None:
        pipe = BytePipe()
        await pipe.send(b"hello ")
        await pipe.send(b"world")
        pipe.end()
        buffer = bytearray(8)
        assert pipe.readable()
        assert pipe.readinto(buffer) == 8
        assert bytes(buffer) == b"hello wo"
        assert pipe.read() == b"rld"
        assert pipe.read(1) == b""
        assert pipe.readinto(buffer) == 0

    asyncio.run(go())
