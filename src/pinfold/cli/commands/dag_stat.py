"""``pinfold dag stat``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinfold.cli import output
from pinfold.cli.options import ContentPathArguments, DataDir, Json, open_node

if TYPE_CHECKING:
    from pinfold.node.model import DagStats


def command(paths: ContentPathArguments, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Show the size of DAGs, alone and together.

    --json prints {"dags": [{"cid", "blocks", "size_bytes"}], "unique_blocks", "total_bytes", "redundant_bytes"}.

    Example:
      pinfold dag stat bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
    """
    with open_node(data_dir) as node:
        stats = node.dag_stat(paths)
    if as_json:
        output.json_line(
            {
                "dags": [
                    {"cid": str(dag.cid), "blocks": dag.blocks, "size_bytes": dag.size_bytes} for dag in stats.dags
                ],
                "unique_blocks": stats.unique_blocks,
                "total_bytes": stats.total_bytes,
                "redundant_bytes": stats.redundant_bytes,
            }
        )
    else:
        _print(stats)


def _print(stats: DagStats) -> None:
    width = max(len(str(dag.cid)) for dag in stats.dags)
    output.line(f"\n{'CID'.ljust(width)}\t{'Blocks':<15}\tSize")
    for dag in stats.dags:
        output.line(f"{str(dag.cid).ljust(width)}\t{dag.blocks!s:<15}\t{dag.size_bytes}")
    together = stats.total_bytes + stats.redundant_bytes
    output.line("\nSummary")
    output.line(f"Total Size: {output.both_sizes(stats.total_bytes)}")
    output.line(f"Unique Blocks: {stats.unique_blocks}")
    output.line(f"Shared Size: {output.both_sizes(stats.redundant_bytes)}")
    output.line(f"Ratio: {together / stats.total_bytes if stats.total_bytes else 1:f}")
