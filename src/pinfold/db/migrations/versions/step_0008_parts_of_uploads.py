"""Resumable uploads may have no length yet, and may be parts of a file."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Allow no length, and add the column; none of the uploads that there are is a part."""
    with op.batch_alter_table("tus_uploads") as table:
        table.alter_column("length_bytes", existing_type=sa.BigInteger(), nullable=True)
        table.add_column(sa.Column("is_partial", sa.Boolean(), nullable=False, server_default=sa.false()))
