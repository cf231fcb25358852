"""``pinfold org suspend``."""

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
    """Refuse an organisation's tokens from now on; its content stays.

    Example:
      pinfold org suspend acme-research
    """
    output.line(f"suspended {change_organisation(org, {'status': 'suspended'}, data_dir).slug}")
