"""``pinfold up``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli.options import DataDir
from pinfold.cli.running import (
    ApiAddress,
    DatabaseUrl,
    GatewayAddress,
    LogFormat,
    LogLevel,
    RedisUrl,
    StatusAddress,
    run_roles,
)


def command(
    gateway_address: GatewayAddress = None,
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
    """Start the gateway, the API and a worker on this machine.

    The first start makes a token for the API.  On a terminal it is printed; else it is in the file first-token in the
    data folder, which the log names: delete that when the token is kept elsewhere.  Ctrl-C or SIGTERM stops it cleanly.
    Every setting may also stand in pinfold.toml in the data folder, or in the environment as PINFOLD_NAME; flags win
    over both.

    Example:
      pinfold up
      pinfold up --gateway-address 127.0.0.1:8081 --api-address 127.0.0.1:3001
    """
    run_roles(
        data_dir=data_dir,
        gateway_address=gateway_address,
        api_address=api_address,
        status_address=status_address,
        database_url=database_url,
        redis_url=redis_url,
        max_upload_bytes=max_upload_bytes,
        log_level=log_level,
        log_format=log_format,
    )
