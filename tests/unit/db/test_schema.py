"""What is known of schemas without what migrates is what that says."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from pinfold.core.errors import DatabaseOutdated, StoreNewer
from pinfold.db import dialect, schema, upgrade


def test_the_names_of_the_steps_say_their_order_as_alembic_has_it() -> None:
    scripts = ScriptDirectory.from_config(upgrade.alembic_config())
    assert list(schema.known()) == [step.revision for step in scripts.walk_revisions()][::-1]
    assert schema.newest() == scripts.get_current_head()


@pytest.mark.parametrize(("has", "error"), [(None, DatabaseOutdated), ("0001", DatabaseOutdated), ("9999", StoreNewer)])
def test_another_schema_is_told_from_this_version_s(tmp_path: Path, has: str | None, error: type[Exception]) -> None:
    engine = dialect.connect(f"sqlite:///{tmp_path / 'platform.sqlite3'}")
    upgrade.to_newest(engine.execution_options(**{dialect.WRITES: True}))
    schema.require_newest(engine)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
        if has is not None:
            connection.execute(text("INSERT INTO alembic_version VALUES (:has)"), {"has": has})
    with pytest.raises(error):
        schema.require_newest(engine)
    engine.dispose()
