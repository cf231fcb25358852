"""What a retrieval is told, says on its way, and gives."""

from __future__ import annotations

from dataclasses import dataclass

from pinfold.core.cid import CID


@dataclass(frozen=True, slots=True)
class RetrievalSettings:
    """Where blocks may come from, and how much patience there is."""

    gateways: tuple[str, ...] = ()
    """Trustless gateways by URL.  The operator names them, so they may have private addresses."""
    routers: tuple[str, ...] = ()
    """Delegated routers by URL, asked for HTTP providers; they may have private addresses as well."""
    allow_private_origins: bool = False
    """Whether origins of requests, and providers that routers name, may have private and loopback addresses."""
    concurrency: int = 8
    """Requests at once in one retrieval, over all its sources.  More helps where sources are far away."""
    silent_timeout_s: float = 15.0
    """A source that is silent for so long is asked no more in this retrieval.  It may search a network first."""
    time_limit_s: float = 3600.0
    """For a whole retrieval.  What came until then is kept, so that the next one goes on from there."""


@dataclass(frozen=True, slots=True)
class RetrievalProgress:
    """Where a retrieval stands."""

    blocks: int
    """Distinct blocks of the DAG that are here, those that were here before included."""
    bytes: int
    """Their payload."""
    known_missing: int
    """Blocks that are linked from those and are not here; what those link to nobody knows yet."""
    sources: int
    """Sources that are still asked."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A DAG that is complete, durable and pinned."""

    cid: CID
    blocks: int
    bytes: int
    """Payload of the whole DAG, what was here before included."""
    fetched_blocks: int
    fetched_bytes: int
