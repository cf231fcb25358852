"""Bodies of uploads that have to keep coming: a silent one would hold what others wait for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from fastapi import Request

from pinfold.core.errors import UploadStalled

LEAST_BYTES_PER_S: Final = 1024  # a modem of the eighties had more; who drips bytes to stay inside a limit has less


def body_of(request: Request) -> AsyncIterator[bytes]:
    """Yield the body of an upload as it comes.  Raises: UploadStalled, ClientDisconnect."""
    silence_s: float = request.app.state.upload_idle_timeout_s
    return paced(request.stream(), silence_s)


async def paced(body: AsyncIterator[bytes], silence_s: float) -> AsyncIterator[bytes]:
    """Yield ``body`` as long as it moves: no silence of ``silence_s``, and 1 KiB/s averaged over twice as long.

    Only the time counts in which the sender is waited for, not that in which the node is behind.
    Raises:  UploadStalled.
    """
    now = asyncio.get_running_loop().time
    window_s = 2 * silence_s
    least_bytes = LEAST_BYTES_PER_S * window_s
    waited_s, window_bytes, total_bytes = 0.0, 0, 0
    chunks = aiter(body)
    while True:
        began = now()
        left_s = window_s - waited_s if window_bytes < least_bytes else silence_s
        try:
            async with asyncio.timeout(min(silence_s, left_s)):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            if left_s < silence_s:  # it was the window that ended, not the patience with silence
                raise _too_slow(window_bytes, window_s) from None
            raise UploadStalled(
                f"the upload stalled: nothing came for {silence_s:g} seconds, after {total_bytes:,} bytes"
            ) from None
        waited_s += now() - began
        window_bytes += len(chunk)
        total_bytes += len(chunk)
        if waited_s >= window_s:
            if window_bytes < least_bytes:
                raise _too_slow(window_bytes, window_s)
            waited_s, window_bytes = 0.0, 0
        yield chunk


def _too_slow(window_bytes: int, window_s: float) -> UploadStalled:
    return UploadStalled(f"the upload stalled: {window_bytes:,} bytes came in {window_s:g} seconds")
