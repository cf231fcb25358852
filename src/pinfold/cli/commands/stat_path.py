"""``pinfold stat``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from pinfold.cli import output
from pinfold.cli.options import ContentPathArguments, DataDir, Json, open_node

if TYPE_CHECKING:
    from pinfold.node.model import Stat


def command(paths: ContentPathArguments, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Show the size of a path, and what unpinning it would give back.

    --json prints {"cid", "kind", "size_bytes", "cumulative_bytes", "blocks", "unique_bytes", "shared_bytes",
    "freed_by_unpin_bytes", "pinned", "missing_blocks", "mode", "mtime"}; mtime is [seconds, nanoseconds].

    Example:
      pinfold stat bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
    """
    with open_node(data_dir) as node:
        for path in paths:
            stat = node.stat(path)
            if as_json:
                output.json_line({**asdict(stat), "cid": str(stat.cid)})
            else:
                output.columns(_rows(stat))


def _rows(stat: Stat) -> list[tuple[str, str]]:
    rows = [
        ("CID:", str(stat.cid)),
        ("Type:", stat.kind),
        ("Size:", output.both_sizes(stat.size_bytes)),
        ("CumulativeSize:", output.both_sizes(stat.cumulative_bytes)),
        ("Blocks:", str(stat.blocks)),
        ("UniqueSize:", output.both_sizes(stat.unique_bytes)),
        ("SharedSize:", output.both_sizes(stat.shared_bytes)),
        ("FreedByUnpin:", output.both_sizes(stat.freed_by_unpin_bytes)),
        ("Pinned:", stat.pinned.value if stat.pinned else "no"),
    ]
    if stat.missing_blocks:
        rows.append(("MissingBlocks:", str(stat.missing_blocks)))
    if stat.mode is not None:
        rows.append(("Mode:", f"{stat.mode & 0o7777:04o}"))
    if stat.mtime is not None:
        rows.append(("Mtime:", _time(stat.mtime)))
    return rows


def _time(mtime: tuple[int, int]) -> str:
    from datetime import UTC, datetime, timedelta

    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=mtime[0])
    except OverflowError:  # a time beyond the year 9999 is allowed in UnixFS
        return f"{mtime[0]}.{mtime[1]:09d}"
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{mtime[1]:09d}Z" if mtime[1] else "Z")
