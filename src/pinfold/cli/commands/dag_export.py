"""``pinfold dag export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pinfold.cli.files import replaced_when_whole
from pinfold.cli.options import ContentPathArgument, DataDir, ShowProgress, open_node
from pinfold.cli.output import binary_stdout
from pinfold.cli.progress import ProgressBar


def command(
    path: ContentPathArgument,
    out: Annotated[str | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file.")] = None,
    progress: ShowProgress = None,
    data_dir: DataDir = None,
) -> None:
    """Write a DAG as a CAR.

    The CAR is version 1, its blocks in the order of a walk from the root, each once.  With --output the file appears
    when it is whole.

    Example:
      pinfold dag export -o copy.car bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
      pinfold dag export bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24 > copy.car
    """
    if out is None or out == "-":
        descriptor = binary_stdout("a CAR")
        with open_node(data_dir) as node, ProgressBar(shown=progress) as bar:
            node.dag_export(path, descriptor, progress=bar.update)
        return
    with open_node(data_dir) as node, ProgressBar(shown=progress) as bar, replaced_when_whole(Path(out)) as stream:
        node.dag_export(path, stream.fileno(), progress=bar.update)
