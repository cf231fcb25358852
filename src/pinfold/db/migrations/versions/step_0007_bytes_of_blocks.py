"""What a file counts are the bytes of its blocks, not the bytes that its content claims to have."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, fill it with what was measured of each root, and count the totals anew."""
    op.add_column("files", sa.Column("block_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE files SET block_bytes = coalesce("
        "(SELECT roots.size_bytes FROM roots WHERE roots.root = files.root), files.size_bytes)"
    )
    op.execute(
        "UPDATE totals SET logical_bytes = "
        "(SELECT coalesce(sum(pins.size_bytes), 0) FROM pins WHERE pins.organisation_id = totals.organisation_id) + "
        "(SELECT coalesce(sum(content.block_bytes), 0) FROM (SELECT max(files.block_bytes) AS block_bytes FROM files "
        "WHERE files.organisation_id = totals.organisation_id GROUP BY files.root) AS content)"
    )
