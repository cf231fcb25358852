"""From what peers say to what a client is told: pure rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pinfold.engine import TrackerStatus
from pinfold.services.pins.model import Health, RequestStatus

REPLICATION_FACTOR_MIN: Final = 1  # the embedded node is one peer
REPLICATION_FACTOR_MAX: Final = 1


def request_status(statuses: Sequence[TrackerStatus], factor_min: int = REPLICATION_FACTOR_MIN) -> RequestStatus:
    """Where a request stands whose peers say ``statuses``: enough pinned ones win over any failure."""
    if statuses.count(TrackerStatus.PINNED) >= factor_min:
        return RequestStatus.PINNED
    if any(status.is_under_way for status in statuses):
        return RequestStatus.PINNING
    return RequestStatus.FAILED


def health(
    healthy: int, failed: int, factor_min: int = REPLICATION_FACTOR_MIN, factor_max: int = REPLICATION_FACTOR_MAX
) -> Health:
    """How copies stand of which ``healthy`` are pinned and ``failed`` should be."""
    if healthy >= factor_max and not failed:
        return Health.HEALTHY
    return Health.DEGRADED if healthy >= factor_min else Health.UNHEALTHY
