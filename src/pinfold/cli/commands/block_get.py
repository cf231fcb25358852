"""``pinfold block get``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pinfold.cli.options import DataDir, open_node
from pinfold.cli.output import binary_stdout


def command(
    cid: Annotated[str, typer.Argument(metavar="CID", help="Which block; a path works, too.")],
    data_dir: DataDir = None,
) -> None:
    """Write the bytes of a block to standard output.

    Example:
      pinfold block get bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am > block
    """
    binary_stdout("a block")
    with open_node(data_dir) as node:
        data = node.block_get(node.resolve(cid).cid)
    sys.stdout.buffer.write(data)
