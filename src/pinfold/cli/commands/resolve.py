"""``pinfold resolve``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.options import ContentPathArgument, DataDir, Json, open_node


def command(
    path: ContentPathArgument,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Implied; taken for Kubo's sake.")] = True,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Say which CID a path leads to.

    --json prints {"cid", "remainder"}; remainder lists the parts that lie inside that block (dag-cbor, dag-json).

    Example:
      pinfold resolve bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24/hello.txt
    """
    with open_node(data_dir) as node:
        found = node.resolve(path)
    if as_json:
        output.json_line({"cid": str(found.cid), "remainder": list(found.remainder)})
    else:
        output.line("/".join([f"/ipfs/{found.cid}", *map(output.printable, found.remainder)]))
