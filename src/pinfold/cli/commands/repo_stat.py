"""``pinfold repo stat``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.options import DataDir, Json, open_node


def command(
    human: Annotated[bool, typer.Option("--human", "-H", help="Print sizes as 1.5 GiB.")] = False,
    size_only: Annotated[bool, typer.Option("--size-only", "-s", help="Print the size on disk only.")] = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Show the store in numbers.

    RepoSize is what segments, catalogue and journal take on disk; DeadSize is the part of the segments that no
    block uses.  Blocks that no pin needs are no part of it until gc has removed them.

    --json prints {"blocks", "size_bytes", "block_bytes", "dead_bytes", "pins", "segments", "path", "version"}.

    Example:
      pinfold repo stat --human
      pinfold repo stat --json
    """
    with open_node(data_dir) as node:
        stat = node.repo_stat()
    if as_json:
        output.json_line(asdict(stat))
        return
    shown = output.size if human else str
    if size_only:
        output.columns([("RepoSize:", shown(stat.size_bytes))])
        return
    output.columns(
        [
            ("NumObjects:", str(stat.blocks)),
            ("RepoSize:", shown(stat.size_bytes)),
            ("BlockSize:", shown(stat.block_bytes)),
            ("DeadSize:", shown(stat.dead_bytes)),
            ("Pins:", str(stat.pins)),
            ("Segments:", str(stat.segments)),
            ("RepoPath:", stat.path),
            ("Version:", str(stat.version)),
        ]
    )
