"""Types of pin requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import NamedTuple

from pinfold.core.cid import CID
from pinfold.core.tier import Tier
from pinfold.db.models import PinRow
from pinfold.engine import TrackerStatus


def root_of(cid: CID) -> str:
    """The text under which pins of one DAG meet: Qm… and bafy… of the same node are one root."""
    return str(cid.to_v1())


class RequestStatus(StrEnum):
    """Where a pin request stands, in the Pinning Service API's words."""

    QUEUED = "queued"
    """Accepted; nobody has looked at it yet."""
    PINNING = "pinning"
    """The engine is at it."""
    PINNED = "pinned"
    """At least as many peers as asked for keep all blocks."""
    FAILED = "failed"
    """The last attempt failed; where another may succeed it is made by itself."""


class Health(StrEnum):
    """How the copies of a CID stand."""

    HEALTHY = "healthy"
    """All copies that are wanted are there, and none failed."""
    DEGRADED = "degraded"
    """Enough copies to be safe, fewer than wanted."""
    UNHEALTHY = "unhealthy"
    """Fewer copies than the least that was asked for."""


class Priority(IntEnum):
    """Who is served first when many wait."""

    LOW = 0
    NORMAL = 1
    HIGH = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """A wish to keep a CID.  What is None is chosen by the platform."""

    cid: CID
    name: str = ""
    tier: Tier | None = None
    replication_factor_min: int | None = None
    replication_factor_max: int | None = None
    priority: Priority = Priority.NORMAL
    meta: Mapping[str, str] = field(default_factory=dict)
    origins: tuple[str, ...] = ()
    """Multiaddrs of nodes that may have the content."""
    expires_at: datetime | None = None


_stored = lru_cache(maxsize=8192)(CID.parse)
"""CIDs as rows have them: lists show the same ones again and again, and reading one takes as long as reading a row."""


_STATUSES = {str(one): one for one in RequestStatus}
_TIERS = {str(one): one for one in Tier}
_PRIORITIES = {int(one): one for one in Priority}


class PinRequest(NamedTuple):
    """One request to keep a CID."""

    id: str
    cid: CID
    name: str
    status: RequestStatus
    error: str | None
    of_file: bool
    tier: Tier | None
    replication_factor_min: int
    replication_factor_max: int
    priority: Priority
    meta: Mapping[str, str]
    origins: tuple[str, ...]
    size_bytes: int | None
    """Payload of the DAG; None until it was here once, and for a file's request."""
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of_row(cls, row: PinRow) -> PinRequest:
        """The request that a row holds."""
        return cls._make(  # by position, in the order above: a list has many of them
            (
                row.id,
                _stored(row.cid),
                row.name,
                _STATUSES[row.status],
                row.error,
                row.of_file,
                _TIERS[row.tier] if row.tier else None,
                row.replication_factor_min,
                row.replication_factor_max,
                _PRIORITIES[row.priority],
                row.meta,
                tuple(row.origins),
                row.size_bytes or None,
                row.expires_at,
                row.created_at,
                row.updated_at,
            )
        )


@dataclass(frozen=True, slots=True)
class PinsPage:
    """Some requests, newest first."""

    requests: tuple[PinRequest, ...]
    total: int
    total_is_exact: bool
    """Whether there are just as many; else there are at least so many."""
    has_more: bool


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What one peer last said of a CID."""

    id: str
    name: str
    status: TrackerStatus
    error: str | None
    claimed_at: datetime | None
    """Since when it says that it keeps the content."""
    verified_at: datetime | None
    """When its copy was last proved."""
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the content of a root has come."""

    blocks: int
    bytes: int
    size_bytes: int | None
    """Of the whole, where that is known."""
    at: datetime


@dataclass(frozen=True, slots=True)
class PinReport:
    """How a CID stands: its requests and its copies."""

    cid: CID
    requests: tuple[PinRequest, ...]
    health: Health
    total_replicas: int
    """Copies that are wanted."""
    healthy_replicas: int
    failed_replicas: int
    nodes: tuple[NodeReport, ...]
    progress: Progress | None
    attempts: int
    """Attempts that failed since the last change."""
    next_attempt_at: datetime | None
    """When the worker looks at it again; None when there is nothing to do."""
