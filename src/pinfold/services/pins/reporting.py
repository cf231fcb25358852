"""How a CID stands, from what the database knows of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from pinfold.core.cid import CID
from pinfold.db import pins, reconciliations, replicas, roots
from pinfold.db.models import PinRow, ReconciliationRow, ReplicaRow, RootRow
from pinfold.engine import TrackerStatus
from pinfold.services.pins import summary
from pinfold.services.pins.model import NodeReport, PinReport, PinRequest, Progress


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is known of one root."""

    asked: Sequence[PinRow]
    """The requests that the session reaches, oldest first."""
    nodes: Sequence[ReplicaRow] = ()
    due: ReconciliationRow | None = None
    content: RootRow | None = None

    @property
    def has_a_share(self) -> bool:
        """Whether a request was taken up, so that what peers say is its own; not one that a quota stopped."""
        return any(
            row.status in ("pinning", "pinned") or (row.status == "failed" and not row.given_up) for row in self.asked
        )

    @property
    def is_proven(self) -> bool:
        """Whether the requests may rely on what peers hold: a file has it, or it was pinned for one of them."""
        return any(row.of_file or row.status == "pinned" or row.size_bytes > 0 for row in self.asked)

    def without_copies(self) -> Seen:
        """The same for requests whose copies these are not: as where no peer holds one.

        Whether, since when and how large is other tenants' to know.
        """
        failed = next((row for row in reversed(self.asked) if row.status == "failed" and not row.given_up), None)
        nodes = [node for node in self.nodes if node.status != TrackerStatus.PINNED]
        if failed is not None:
            nodes += [_without_copy(node, failed) for node in self.nodes if node.status == TrackerStatus.PINNED]
        return replace(self, nodes=sorted(nodes, key=lambda node: node.peer_id), content=None)


def _without_copy(node: ReplicaRow, failed: PinRow) -> ReplicaRow:
    return ReplicaRow(
        root=node.root,
        peer_id=node.peer_id,
        peer_name=node.peer_name,
        status=TrackerStatus.PIN_ERROR,
        error=failed.error,
        claimed_at=None,
        verified_at=None,
        seen_at=failed.updated_at,
    )


def look(session: Session, root: str) -> Seen:
    """What is known of a root that requests in the session's reach name; nothing where there are none."""
    asked = pins.of_root(session, root)
    if not asked:  # what others keep is nobody's business
        return Seen(asked)
    of_root = reconciliations.of_root(session, root)
    return Seen(asked, replicas.of_root(session, root), of_root, roots.of_root(session, root))


def report_of(cid: CID, seen: Seen) -> PinReport:
    """How ``cid`` stands, for which somebody asked."""
    since = min(row.created_at for row in seen.asked)
    statuses = [TrackerStatus(node.status) for node in seen.nodes]
    healthy = statuses.count(TrackerStatus.PINNED)
    failed = sum(status.is_failed for status in statuses)
    factor_min = max(row.replication_factor_min for row in seen.asked)
    factor_max = max(row.replication_factor_max for row in seen.asked)
    return PinReport(
        cid=cid,
        requests=tuple(PinRequest.of_row(row) for row in seen.asked),
        health=summary.health(healthy, failed, factor_min, factor_max),
        total_replicas=factor_max,
        healthy_replicas=healthy,
        failed_replicas=failed,
        nodes=tuple(
            NodeReport(
                id=node.peer_id,
                name=node.peer_name,
                status=TrackerStatus(node.status),
                error=node.error,
                claimed_at=max(node.claimed_at, since) if node.claimed_at else None,
                verified_at=node.verified_at,
                seen_at=node.seen_at,
            )
            for node in seen.nodes
        ),
        progress=progress_of(seen.content),
        attempts=seen.due.attempts if seen.due else 0,
        next_attempt_at=seen.due.due_at if seen.due else None,
    )


def progress_of(row: RootRow | None) -> Progress | None:
    """How far the content of a root has come, where something is known."""
    return None if row is None else Progress(row.fetched_blocks, row.fetched_bytes, row.size_bytes, row.updated_at)
