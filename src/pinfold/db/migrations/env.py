"""What Alembic runs for every command; the connection comes from ``db.upgrade``."""

from __future__ import annotations

from alembic import context

from pinfold.db.models import Base


def run() -> None:
    """Run the wanted steps on the connection that was handed over."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Base.metadata,
        render_as_batch=True,  # SQLite cannot alter a table in place
    )
    context.run_migrations()


if hasattr(context, "config"):  # absent when the module is only imported
    run()
