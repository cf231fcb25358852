"""``pinfold car inspect``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.files import binary_input
from pinfold.cli.options import Json

if TYPE_CHECKING:
    from pinfold.core.car import CarSummary


def command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A CAR; - is standard input.")],
    as_json: Json = False,
) -> None:
    """Show what a CAR holds.

    Blocks are counted, not hashed: `pinfold car verify` does that.

    --json prints {"version", "roots", "missing_roots", "blocks", "block_bytes", "min_block_bytes",
    "average_block_bytes", "max_block_bytes", "codecs", "hashes", "data_offset", "data_size_bytes", "index_offset"};
    codecs and hashes count blocks, and an offset of 0 means that there is no index.

    Example:
      pinfold car inspect hello.car
    """
    from pinfold.core import car

    with binary_input(file) as stream:
        summary = car.inspect(stream)
    if as_json:
        output.json_line(_fields(summary))
    else:
        _print(summary)


def _fields(summary: CarSummary) -> dict[str, output.Json]:
    return {
        "version": summary.version,
        "roots": [str(root) for root in summary.roots],
        "missing_roots": [str(root) for root in summary.missing_roots],
        "blocks": summary.blocks,
        "block_bytes": summary.block_bytes,
        "min_block_bytes": summary.min_block_bytes,
        "average_block_bytes": round(summary.average_block_bytes, 1),
        "max_block_bytes": summary.max_block_bytes,
        "codecs": dict(summary.codecs),
        "hashes": dict(summary.hashes),
        "data_offset": summary.data_offset,
        "data_size_bytes": summary.data_size_bytes,
        "index_offset": summary.index_offset,
    }


def _print(summary: CarSummary) -> None:
    rows = [("Version:", str(summary.version))]
    for root in summary.roots:
        rows.append(("Root:", f"{root}{' (not in this CAR)' if root in summary.missing_roots else ''}"))
    if not summary.roots:
        rows.append(("Root:", "none"))
    rows += [
        ("Blocks:", str(summary.blocks)),
        ("BlockSize:", output.both_sizes(summary.block_bytes)),
        ("Smallest:", output.both_sizes(summary.min_block_bytes)),
        ("Average:", output.both_sizes(round(summary.average_block_bytes))),
        ("Largest:", output.both_sizes(summary.max_block_bytes)),
        ("Codecs:", _counts(summary.codecs)),
        ("Hashes:", _counts(summary.hashes)),
    ]
    if summary.version > 1:
        rows.append(("Data:", f"{summary.data_size_bytes} bytes from byte {summary.data_offset}"))
        rows.append(("Index:", f"from byte {summary.index_offset}" if summary.has_index else "none"))
    output.columns(rows)


def _counts(counted: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counted.items()) or "none"
