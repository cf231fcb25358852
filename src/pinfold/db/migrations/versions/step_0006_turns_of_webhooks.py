"""Deliveries that wait are found webhook by webhook."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index(
        op.f("ix_webhook_deliveries_status_webhook_id_due_at"),
        "webhook_deliveries",
        ["status", "webhook_id", "due_at"],
    )
