"""``pinfold org resume``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.commands.org_set import change_organisation
from pinfold.cli.options import DataDir


def command(
    org: Annotated[str, typer.Argument(metavar="SLUG", help="The organisation.")],
    data_dir: DataDir = None,
) -> None:
    """Let a suspended organisation in again.

    Example:
      pinfold org resume acme-research
    """
    output.line(f"resumed {change_organisation(org, {'status': 'active'}, data_dir).slug}")
