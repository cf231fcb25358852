"""What ``up`` and the commands of single roles have in common: their settings, and how they announce themselves."""

from __future__ import annotations

import sys
from typing import Annotated, TypeAlias

import typer

from pinfold.cli import output

ApiAddress: TypeAlias = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Where the API listens.  Default: 127.0.0.1:3000.")
]
GatewayAddress: TypeAlias = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Where the gateway listens.  Default: 127.0.0.1:8080.")
]
StatusAddress: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Where this process answers /ping, /health, /ready and /metrics about itself.  Default: nowhere.",
    ),
]
DatabaseUrl: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The database, such as postgresql://HOST/NAME.  Default: SQLite in the data folder.  A password is better "
        "kept in PINFOLD_DATABASE_URL.",
    ),
]
RedisUrl: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Redis for limits that several processes share.  Default: each keeps its own."),
]
LogLevel: TypeAlias = Annotated[
    str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error.  Default: info.")
]
LogFormat: TypeAlias = Annotated[
    str | None, typer.Option(metavar="FORMAT", help="auto, human or json.  Default: auto.")
]


def run_roles(*roles: str, **settings: object) -> None:
    """Run the roles until a signal, by the settings that are not None; all roles where none is named."""
    from pinfold.app.roles import EVERY_ROLE, Role
    from pinfold.app.serve import run
    from pinfold.settings import load

    run(load(settings), frozenset(map(Role, roles)) or EVERY_ROLE, announce=_announce, on_terminal=sys.stdout.isatty())


def _announce(banner: str) -> None:
    output.line(banner)
    sys.stdout.flush()  # whoever started this may be waiting for the addresses
