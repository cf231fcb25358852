"""``pinfold up``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.options import DataDir


def command(
    gateway_address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where the gateway listens.  Default: 127.0.0.1:8080.")
    ] = None,
    api_address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where the API listens.  Default: 127.0.0.1:3000.")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(metavar="URL", help="SQLAlchemy URL, of SQLite only.  Default: in the data folder.")
    ] = None,
    max_upload_bytes: Annotated[
        str | None, typer.Option(metavar="BYTES", help="Largest uploaded file, for example 2GiB.  Default: 100MiB.")
    ] = None,
    log_level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error.  Default: info.")
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="auto, human or json.  Default: auto.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Start the gateway and the API on this machine.

    The first start prints the token for the API.  Ctrl-C or SIGTERM stops it cleanly.  Every setting may also stand in
    pinfold.toml in the data folder, or in the environment as PINFOLD_NAME; flags win over both.

    Example:
      pinfold up
      pinfold up --gateway-address 127.0.0.1:8081 --api-address 127.0.0.1:3001
    """
    from pinfold.app import run_up
    from pinfold.settings import load

    settings = load(
        {
            "data_dir": data_dir,
            "gateway_address": gateway_address,
            "api_address": api_address,
            "database_url": database_url,
            "max_upload_bytes": max_upload_bytes,
            "log_level": log_level,
            "log_format": log_format,
        }
    )
    run_up(settings, announce=_announce)


def _announce(banner: str) -> None:
    output.line(banner)
    sys.stdout.flush()  # whoever started this may be waiting for the addresses
