"""``pinfold api``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli.options import DataDir
from pinfold.cli.running import ApiAddress, DatabaseUrl, LogFormat, LogLevel, RedisUrl, StatusAddress, run_roles


def command(
    api_address: ApiAddress = None,
    status_address: StatusAddress = None,
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
    max_upload_bytes: Annotated[
        str | None, typer.Option(metavar="BYTES", help="Largest uploaded file, for example 2GiB.  Default: 100MiB.")
    ] = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    data_dir: DataDir = None,
) -> None:
    """Start the API alone; any number may run on one data folder.

    Workers and gateways run beside it, as `pinfold worker` and `pinfold gateway`.  Several need addresses of their own
    and one database; with PostgreSQL and Redis they keep nothing to themselves.  The very first start prints the token.

    Example:
      pinfold api --api-address 127.0.0.1:3001
      pinfold api --database-url postgresql://localhost/pinfold --redis-url redis://localhost
    """
    run_roles(
        "api",
        data_dir=data_dir,
        api_address=api_address,
        status_address=status_address,
        database_url=database_url,
        redis_url=redis_url,
        max_upload_bytes=max_upload_bytes,
        log_level=log_level,
        log_format=log_format,
    )
