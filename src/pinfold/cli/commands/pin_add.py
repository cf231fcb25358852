"""``pinfold pin add``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.options import ContentPathArguments, DataDir, Json, ShowProgress, open_node
from pinfold.cli.progress import ProgressBar


def command(
    paths: ContentPathArguments,
    recursive: Annotated[
        bool, typer.Option("--recursive/--direct", "-r/-d", help="Keep everything below, or the one block only.")
    ] = True,
    name: Annotated[str, typer.Option("--name", "-n", metavar="NAME", help="A name for the pins.")] = "",
    as_json: Json = False,
    progress: ShowProgress = None,
    data_dir: DataDir = None,
) -> None:
    """Pin content that is here, so that gc keeps it.

    --json prints {"cid", "mode", "name"} for each pin.

    Example:
      pinfold pin add --name trip bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
      pinfold pin add --recursive=false bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am
    """
    with open_node(data_dir) as node, ProgressBar(shown=progress) as bar:
        for path in paths:
            cid = node.pin_add(path, recursive=recursive, name=name, progress=bar.update)
            bar.clear()
            if as_json:
                mode = "recursive" if recursive else "direct"
                output.json_line({"cid": str(cid), "mode": mode, "name": name})
            else:
                output.line(f"pinned {cid} {'recursively' if recursive else 'directly'}")
