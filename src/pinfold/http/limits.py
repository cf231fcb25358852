"""What one connection may take, in bytes and in time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a connection; a test uses shorter times."""

    head_bytes: int = 64 << 10
    """Request line and header fields together: far more than any browser sends."""
    target_bytes: int = 32 << 10
    """The request target.  A filter by ten CIDs and a deep content path fit many times."""
    fields: int = 200
    """Header fields of a request.  Browsers behind proxies send about 40."""
    trailer_bytes: int = 8 << 10
    """Trailer fields behind a chunked body, which are read and ignored."""
    chunks_per_turn: int = 1000
    """Chunks decoded before other connections get their turn: about 1 ms."""

    head_s: float = 30.0
    """From a head's first byte to its end, and from a connection to its first byte: browsers open some in advance."""
    idle_s: int = 75
    """Between two requests: longer than the pauses of browsers and proxies that reuse connections."""
    life_s: float = 3600.0
    """After so long a connection ends with the answer that it carries: a balancer can then spread clients anew."""
    send_silence_s: float = 30.0
    """A client that takes nothing of its answer for so long is disconnected."""
    send_bytes_per_s: int = 1024
    """The least rate at which an answer is taken, averaged over twice ``send_silence_s``."""
    linger_s: float = 2.0
    """After a refusal the rest of the request is discarded for so long.  An immediate close would reset the
    connection, and the client would lose the answer."""
    linger_bytes: int = 1 << 20

    @property
    def check_every_s(self) -> float:
        """How often a connection is checked: a limit in seconds is exact to a quarter."""
        return min(self.head_s, self.send_silence_s) / 4
