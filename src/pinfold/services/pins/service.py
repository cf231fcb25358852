"""What can be done with pin requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from pinfold.core.cid import CID
from pinfold.core.errors import PinNotFound
from pinfold.db import Database, pins, reconciliations, replicas
from pinfold.db.models import PinRow, ReconciliationRow, ReplicaRow
from pinfold.engine import TrackerStatus
from pinfold.services.clock import Clock, utc_now
from pinfold.services.pins import summary
from pinfold.services.pins.model import NodeReport, PinReport, PinRequest, root_of


class PinsService:
    """Requests to keep CIDs.  Reads come from the database only, and say how old they are."""

    def __init__(self, database: Database, wake_worker: Callable[[], None], clock: Clock = utc_now) -> None:
        self._database = database
        self._wake_worker = wake_worker
        self._clock = clock

    async def request(self, cid: CID, name: str = "") -> PinRequest:
        """A request to keep ``cid``, accepted and queued; the same name asked again is the same request."""
        row = await self._database.write(pins.ask_again, str(cid), root_of(cid), name, self._clock())
        self._wake_worker()
        return PinRequest.of_row(row)

    async def report(self, cid: CID) -> PinReport:
        """How ``cid`` stands.  Raises: PinNotFound where no request names it."""
        requests, nodes, due = await self._database.read(_report, root_of(cid))
        if not requests:
            raise PinNotFound(f"no file and no pin request names {cid}", hint="POST /api/v1/pins/{cid} asks for one.")
        statuses = [TrackerStatus(node.status) for node in nodes]
        healthy = statuses.count(TrackerStatus.PINNED)
        failed = sum(status.is_failed for status in statuses)
        return PinReport(
            cid=cid,
            requests=tuple(PinRequest.of_row(row) for row in requests),
            health=summary.health(healthy, failed),
            total_replicas=summary.REPLICATION_FACTOR_MAX,
            healthy_replicas=healthy,
            failed_replicas=failed,
            nodes=tuple(
                NodeReport(
                    id=node.peer_id,
                    name=node.peer_name,
                    status=TrackerStatus(node.status),
                    error=node.error,
                    claimed_at=node.claimed_at,
                    seen_at=node.seen_at,
                )
                for node in nodes
            ),
            attempts=due.attempts if due else 0,
            next_attempt_at=due.due_at if due else None,
        )


def _report(session: Session, root: str) -> tuple[Sequence[PinRow], Sequence[ReplicaRow], ReconciliationRow | None]:
    return pins.of_root(session, root), replicas.of_root(session, root), reconciliations.of_root(session, root)
