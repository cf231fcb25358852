"""``pinfold db upgrade``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.options import DataDir, Json
from pinfold.cli.running import DatabaseUrl


def command(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail where an upgrade is needed.")] = False,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Bring the platform's database to this version's schema.

    SQLite in the data folder is upgraded by each start; another database waits for this command.  Make a backup first:
    there is no way back.  All of it happens, or nothing does.

    --json prints {"schema", "upgraded"}.

    Example:
      pinfold db upgrade
      pinfold db upgrade --check
    """
    from pinfold.db import upgrade
    from pinfold.settings import load
    from pinfold.store.private import make_folder

    settings = load({"data_dir": data_dir, "database_url": database_url})
    if not check:
        make_folder(settings.data_dir)
    done = upgrade.run(settings.effective_database_url, check_only=check)
    if as_json:
        output.json_line({"schema": done.schema, "upgraded": done.changed})
    elif done.changed:
        output.line(f"upgraded to {done.schema}")
    else:
        output.line(f"nothing to do: the schema is {done.schema}")
