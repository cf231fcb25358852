"""From what peers say to what a client is told: pure rules."""

from __future__ import annotations

from collections.abc import Sequence

from pinfold.engine import TrackerStatus
from pinfold.services.pins.model import Health, RequestStatus


def request_status(statuses: Sequence[TrackerStatus], factor_min: int = 1) -> RequestStatus:
    """Where a request stands whose peers say ``statuses``: enough pinned ones win over any failure."""
    if statuses.count(TrackerStatus.PINNED) >= factor_min:
        return RequestStatus.PINNED
    if any(status.is_under_way for status in statuses):
        return RequestStatus.PINNING
    return RequestStatus.FAILED


def health(healthy: int, failed: int, factor_min: int = 1, factor_max: int = 1) -> Health:
    """How copies stand of which ``healthy`` are pinned and ``failed`` should be."""
    if healthy >= factor_max and not failed:
        return Health.HEALTHY
    return Health.DEGRADED if healthy >= factor_min else Health.UNHEALTHY
