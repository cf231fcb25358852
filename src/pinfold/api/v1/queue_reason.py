"""Why a request is still queued, where that is known: a person who waits looks at its status."""

from __future__ import annotations

from fastapi import Request

from pinfold.services.health import HealthService
from pinfold.services.pins import RequestStatus


async def why_queued(
    request: Request, status: RequestStatus, error: str | None, field: str = "error"
) -> dict[str, str]:
    """What to put into ``field`` of an answer about a queued request; nothing where there is nothing to say."""
    health: HealthService = request.app.state.services.health
    if status is not RequestStatus.QUEUED or error is not None:
        return {}
    problem = await health.no_worker()
    return {} if problem is None else {field: problem}
