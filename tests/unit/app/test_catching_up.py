"""What a start compares does not keep anybody waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pinfold.core.cid import CID
from pinfold.engine.embedded import EmbeddedEngine
from tests.support.platform import PATIENCE_S, platform, run


def test_the_platform_serves_and_stops_while_pins_are_still_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        comparing, stopped = asyncio.Event(), asyncio.Event()

        async def endless_at_first(_: EmbeddedEngine) -> AsyncIterator[CID]:
            if comparing.is_set():
                return
            try:
                comparing.set()
                await asyncio.Event().wait()
                yield CID.of(b"never")
            finally:
                stopped.set()

        monkeypatch.setattr(EmbeddedEngine, "pins", endless_at_first)
        async with asyncio.timeout(PATIENCE_S):
            async with platform(tmp_path) as here:
                await comparing.wait()
                record = await here.upload(b"content")
                await here.until(record["cid"], "pinned")
                assert not stopped.is_set()
            await stopped.wait()

    run(story())
