"""Names are looked for among those of one organisation on PostgreSQL, as they are on SQLite.

An index of names alone finds those of everybody, and reads their rows only to leave them out.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the indexes of names anew."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gin")
    for table in ("files", "pins"):
        op.execute(f"DROP INDEX ix_{table}_name_trigrams")
    _make_index("ix_files_name_trigrams", "files")
    _make_index("ix_pins_name_trigrams", "pins", "WHERE of_file IS FALSE")
    _make_index("ix_pins_of_files_name_trigrams", "pins", "WHERE of_file IS TRUE")


def _make_index(name: str, table: str, some: str = "") -> None:
    op.execute(f"CREATE INDEX {name} ON {table} USING gin (organisation_id, name gin_trgm_ops) {some}")
