"""``pinfold cat``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli.options import ContentPathArguments, DataDir, open_node
from pinfold.cli.output import text_stdout


def command(
    paths: ContentPathArguments,
    offset: Annotated[int, typer.Option("--offset", "-o", min=0, metavar="BYTES", help="Begin here.")] = 0,
    length: Annotated[
        int | None, typer.Option("--length", "-l", min=0, metavar="BYTES", help="Write at most this much.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Write the content of files to standard output.

    Several files are written one after the other, and offset and length count through all of them.

    Example:
      pinfold cat bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am
      pinfold cat --offset 1 --length 3 /ipfs/bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am
    """
    out = text_stdout()
    with open_node(data_dir) as node:
        for path in paths:
            if length is not None and length <= 0:
                break
            if offset:
                size = node.file_info(path).size
                if size is not None and offset >= size:  # a folder has none; cat_to says so
                    offset -= size
                    continue
            written = node.cat_to(path, out, offset=offset, length=length)
            offset = 0
            if length is not None:
                length -= written
