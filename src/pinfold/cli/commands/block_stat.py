"""``pinfold block stat``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.options import DataDir, Json, open_node


def command(
    cid: Annotated[str, typer.Argument(metavar="CID", help="Which block; a path works, too.")],
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Show the size of a block.

    --json prints {"cid", "size_bytes"}.

    Example:
      pinfold block stat bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am
    """
    with open_node(data_dir) as node:
        block = node.resolve(cid).cid
        size = node.block_stat(block)
    if as_json:
        output.json_line({"cid": str(block), "size_bytes": size})
    else:
        output.line(f"Key: {block}\nSize: {size}")
