"""The first tables: tokens, pins, files, replicas, reconciliations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    time = sa.DateTime(timezone=True)
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_tokens_token_hash"),
    )
    op.create_table(
        "pins",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("cid", sa.Text(), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", time, nullable=False),
        sa.Column("updated_at", time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pins"),
        sa.CheckConstraint("status IN ('queued', 'pinning', 'pinned', 'failed')", name=op.f("ck_pins_status")),
    )
    op.create_index("ix_pins_root", "pins", ["root"])
    op.create_table(
        "files",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("pin_id", sa.String(36), nullable=False),
        sa.Column("cid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
        sa.UniqueConstraint("pin_id", name="uq_files_pin_id"),
        sa.ForeignKeyConstraint(["pin_id"], ["pins.id"], name="fk_files_pin_id", ondelete="RESTRICT"),
        sa.CheckConstraint("size_bytes >= 0", name=op.f("ck_files_size_bytes")),
    )
    op.create_table(
        "replicas",
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("peer_id", sa.Text(), nullable=False),
        sa.Column("peer_name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("claimed_at", time, nullable=True),
        sa.Column("seen_at", time, nullable=False),
        sa.PrimaryKeyConstraint("root", "peer_id", name="pk_replicas"),
    )
    op.create_table(
        "reconciliations",
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("due_at", time, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", time, nullable=True),
        sa.PrimaryKeyConstraint("root", name="pk_reconciliations"),
    )
    op.create_index("ix_reconciliations_due_at", "reconciliations", ["due_at"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("reconciliations", "replicas", "files", "pins", "tokens"):
        op.drop_table(table)
