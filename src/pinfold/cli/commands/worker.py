"""``pinfold worker``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli.options import DataDir
from pinfold.cli.running import DatabaseUrl, LogFormat, LogLevel, RedisUrl, StatusAddress, run_roles


def command(
    status_address: StatusAddress = None,
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
    worker_concurrency: Annotated[
        str | None, typer.Option(metavar="N", help="Pins carried out at the same time.  Default: 128.")
    ] = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    data_dir: DataDir = None,
) -> None:
    """Start a worker alone; any number may run on one data folder.

    It carries out pins, delivers webhooks and does the upkeep; of several, one does each piece of work.

    Example:
      pinfold worker
      pinfold worker --worker-concurrency 256 --database-url postgresql://localhost/pinfold
      pinfold worker --status-address 127.0.0.1:3010
    """
    run_roles(
        "worker",
        data_dir=data_dir,
        status_address=status_address,
        database_url=database_url,
        redis_url=redis_url,
        worker_concurrency=worker_concurrency,
        log_level=log_level,
        log_format=log_format,
    )
