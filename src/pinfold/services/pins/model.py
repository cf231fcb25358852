"""Types of pin requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pinfold.core.cid import CID
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


@dataclass(frozen=True, slots=True)
class PinRequest:
    """One request to keep a CID."""

    id: str
    cid: CID
    name: str
    status: RequestStatus
    error: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of_row(cls, row: PinRow) -> PinRequest:
        """The request that a row holds."""
        return cls(
            id=row.id,
            cid=CID.parse(row.cid),
            name=row.name,
            status=RequestStatus(row.status),
            error=row.error,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What one peer last said of a CID."""

    id: str
    name: str
    status: TrackerStatus
    error: str | None
    claimed_at: datetime | None
    """Since when it says that it keeps the content."""
    seen_at: datetime


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
    attempts: int
    """Attempts that failed since the last change."""
    next_attempt_at: datetime | None
    """When the worker looks at it again; None when there is nothing to do."""
