from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from pinfold.api.pace import paced
from pinfold.core.errors import UploadStalled
from pinfold.db.models import ReservationRow
from tests.support.platform import Platform, platform, run

FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\nhello'
TUS = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}


class Skipping(selectors.DefaultSelector):
    """Waits for nothing: what would have been waited is added to the clock."""

    skipped_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            return super().select(None)
        ready = super().select(0)
        if not ready:
            self.skipped_s += max(0.0, timeout)
        return ready


class HurriedLoop(asyncio.SelectorEventLoop):
    """An event loop in which an hour of sleeping is over at once."""

    def __init__(self) -> None:
        self._skipping = Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return super().time() + self._skipping.skipped_s


def hurried(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=HurriedLoop) as runner:
        runner.run(work)


async def drip(pause_s: float, chunk: bytes, times: int) -> AsyncIterator[bytes]:
    for _ in range(times):
        yield chunk
        await asyncio.sleep(pause_s)


async def length(body: AsyncIterator[bytes]) -> int:
    return sum([len(chunk) async for chunk in body])


def test_a_silent_body_is_ended_after_its_time_and_not_before() -> None:
    async def go() -> None:
        now = asyncio.get_running_loop().time
        began = now()
        with pytest.raises(UploadStalled, match="nothing came for 30 seconds, after 5 bytes"):
            await length(paced(drip(3600, b"hello", 2), 30))
        assert 30 <= now() - began < 31

    hurried(go())


def test_a_byte_every_29_seconds_is_ended_within_the_first_minute() -> None:
    async def go() -> None:
        now = asyncio.get_running_loop().time
        began = now()
        with pytest.raises(UploadStalled, match="3 bytes came in 60 seconds"):
            await length(paced(drip(29, b"x", 100), 30))
        assert 60 <= now() - began < 61

    hurried(go())


def test_a_fast_beginning_does_not_pay_for_a_trickle_later() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield bytes(10_000_000)
        async for chunk in drip(10, b"x", 1000):
            yield chunk

    async def go() -> None:
        now = asyncio.get_running_loop().time
        began = now()
        with pytest.raises(UploadStalled):
            await length(paced(body(), 30))
        assert now() - began < 131

    hurried(go())


def test_a_slow_body_that_moves_may_take_an_hour() -> None:
    async def go() -> None:
        assert await length(paced(drip(20, bytes(42_000), 180), 30)) == 180 * 42_000

    hurried(go())


def test_time_in_which_the_reader_is_behind_does_not_count() -> None:
    async def go() -> None:
        received = 0
        async for chunk in paced(drip(0, b"x", 10), 30):
            received += len(chunk)
            await asyncio.sleep(1000)
        assert received == 10

    hurried(go())


async def stalled(data: bytes) -> AsyncIterator[bytes]:
    yield data
    await asyncio.Event().wait()


def test_every_kind_of_upload_that_stalls_is_408_and_gives_its_slot_and_room_back(tmp_path: Path) -> None:
    async def refused(at: Platform, method: str, path: str, data: bytes, **headers: str) -> None:
        response = await at.api.request(method, f"/api/v1/files/{path}", content=stalled(data), headers=headers)
        assert (response.status_code, response.json()["code"]) == (408, "UPLOAD_STALLED"), response.text
        assert "stalled" in response.json()["error"]
        assert response.headers["connection"] == "close"

    async def go() -> None:
        async with asyncio.timeout(30), platform(tmp_path, upload_idle_timeout_s=0.2, max_concurrent_uploads=1) as at:
            await refused(at, "PUT", "a.bin", b"hello", **{"Content-Length": "5000000"})
            await refused(at, "POST", "upload", FORM, **{"Content-Type": "multipart/form-data; boundary=x"})
            await refused(at, "POST", "car", b"\x3a")
            rooms = await at.database.everybody.read(
                lambda s: s.scalar(select(func.count()).select_from(ReservationRow))
            )
            assert rooms == 0
            begun = await at.api.post("/api/v1/files/tus", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "9"})
            place = begun.headers["location"].removeprefix("/api/v1/files/")
            await refused(at, "PATCH", place, b"hello", **TUS)
            head = await at.api.head(f"/api/v1/files/{place}", headers={"Tus-Resumable": "1.0.0"})
            assert head.headers["upload-offset"] == "5", "what came before the silence counts"
            last = await at.api.patch(f"/api/v1/files/{place}", content=b"1234", headers={**TUS, "Upload-Offset": "5"})
            assert last.status_code == 204
            assert (await at.upload(b"and others go on"))["name"] == "a.txt"

    run(go())
