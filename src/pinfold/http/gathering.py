"""Writing an answer's head and the beginning of its body with one call of the system instead of two.

Such a call takes longer than nearly everything else that is done for a small answer, and wakes the client.
"""

from __future__ import annotations

import asyncio
from typing import Final

_SMALL: Final = 16 << 10  # bytes; to put more together would take as long as the call that it saves


class Gathering(asyncio.Transport):
    """A connection whose small writes wait for the next one, until the event loop's next turn at most."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held = b""
        self.written_bytes = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write ``data``, or hold it for what comes next."""
        if not data:
            return
        self.written_bytes += len(data)
        held, self._held = self._held, b""
        if held:
            if len(data) < _SMALL:
                self._transport.write(held + data)
            else:
                self._transport.write(held)
                self._transport.write(data)
        elif len(data) < _SMALL:
            self._held = bytes(data)
            self._loop.call_soon(self._let_go)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Write what is held, and close the connection when the other side has it."""
        self._let_go()
        self._transport.close()

    def write_eof(self) -> None:
        """Write what is held, and say that nothing follows; the other side may go on to write."""
        self._let_go()
        self._transport.write_eof()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._held = b""
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it was closed, by either side."""
        return self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        """Bytes that wait in this process."""
        return len(self._held) + self._transport.get_write_buffer_size()

    def _let_go(self) -> None:
        held, self._held = self._held, b""
        if held:
            self._transport.write(held)
