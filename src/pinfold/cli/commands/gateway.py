"""``pinfold gateway``."""

from __future__ import annotations

from pinfold.cli.options import DataDir
from pinfold.cli.running import DatabaseUrl, GatewayAddress, LogFormat, LogLevel, RedisUrl, StatusAddress, run_roles


def command(
    gateway_address: GatewayAddress = None,
    status_address: StatusAddress = None,
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
    data_dir: DataDir = None,
) -> None:
    """Start a gateway alone; any number may run on one data folder.

    Example:
      pinfold gateway --gateway-address 127.0.0.1:8081
      pinfold gateway --status-address 127.0.0.1:3011
    """
    run_roles(
        "gateway",
        data_dir=data_dir,
        gateway_address=gateway_address,
        status_address=status_address,
        database_url=database_url,
        redis_url=redis_url,
        log_level=log_level,
        log_format=log_format,
    )
