"""``pinfold pin rm``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.options import ContentPathArguments, DataDir, Json, open_node


def command(
    paths: ContentPathArguments,
    recursive: Annotated[
        bool, typer.Option("--recursive/--direct", "-r/-d", help="Remove recursive pins, or direct ones only.")
    ] = True,
    force: Annotated[
        bool, typer.Option("--force", help="Remove pins, too, that the platform keeps for files of its API.")
    ] = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Unpin content; gc gives the space back.

    A pin that the platform keeps for a file of its API is refused: delete the file there, or the API would go on
    saying that it is pinned.

    --json prints {"cid"} for each pin that was removed.

    Example:
      pinfold pin rm bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
    """
    with open_node(data_dir) as node:
        for path in paths:
            cid = node.pin_rm(path, recursive=recursive, spare_platform=not force)
            if as_json:
                output.json_line({"cid": str(cid)})
            else:
                output.line(f"unpinned {cid}")
