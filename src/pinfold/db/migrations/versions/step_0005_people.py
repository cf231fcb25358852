"""Wrong passwords are counted per account and address; an invitation says whether it may make a user."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the table and the column; counts of before are forgotten, and nobody is locked out by them any more."""
    op.create_table(
        "sign_in_addresses",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", TIME, nullable=True),
        sa.Column("blocked_until", TIME, nullable=True),
        sa.Column("signed_in_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_sign_in_addresses_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "network", name=op.f("pk_sign_in_addresses")),
    )
    op.drop_column("users", "failed_sign_ins")
    op.execute("UPDATE users SET locked_until = NULL")
    op.add_column("invitations", sa.Column("makes_user", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE invitations SET makes_user = true "
        "WHERE invited_by IN (SELECT id FROM users WHERE is_administrator IS TRUE)"
    )
