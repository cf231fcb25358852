"""A body that is streamed, and whose source is let go of however the answer ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

_PART_BYTES: Final = 128 << 10
"""Given to the connection's buffer at once."""


class StreamedBody(StreamingResponse):
    """``first``, which was read already, then ``rest``; a client that goes away stops the reading at once."""

    def __init__(
        self, first: bytes, rest: AsyncGenerator[bytes, None], status: int, headers: Mapping[str, str]
    ) -> None:
        super().__init__(_joined(first, rest), status, headers)
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._rest.aclose()  # else the blocks stay open until the garbage collector comes by


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes | memoryview]:
    """All of it in parts; a client that reads nothing holds one chunk, and a part of it in its connection's buffer.

    The server waits for the client before it sends a part, not behind it.  So an empty part follows each chunk: the
    next one is read from disk when the client has taken the one before.
    """
    chunks = [first]
    del first  # it would be kept until the end
    while chunks:
        view = memoryview(chunks.pop())
        for start in range(0, len(view), _PART_BYTES):
            yield view[start : start + _PART_BYTES]
        yield b""
        del view
        async for chunk in rest:
            chunks.append(chunk)
            del chunk
            break
