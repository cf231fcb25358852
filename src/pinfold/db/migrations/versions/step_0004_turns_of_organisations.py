"""Roots that are due know in whose turn they are looked at; those that wait already are in nobody's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and the index that finds each organisation's."""
    op.add_column(
        "reconciliations", sa.Column("organisation_id", sa.String(length=36), nullable=False, server_default="")
    )
    op.create_index(
        op.f("ix_reconciliations_lane_organisation_id_priority_due_at"),
        "reconciliations",
        ["lane", "organisation_id", "priority", "due_at"],
    )
