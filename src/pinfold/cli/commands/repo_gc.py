"""``pinfold repo gc``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.options import DataDir, Json, ShowProgress, open_node
from pinfold.cli.progress import ProgressBar

_NOT_YET = (
    "Their bytes go when the segment that they lie in is rewritten: by the first gc that finds an eighth of it removed."
)


def command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", "--silent", help="Print nothing.")] = False,
    as_json: Json = False,
    progress: ShowProgress = None,
    data_dir: DataDir = None,
) -> None:
    """Remove the blocks that no pin needs; nothing has to stop for it.

    --json prints {"blocks", "bytes", "freed_bytes", "segments_removed", "segments_rewritten", "dry_run"}; bytes counts
    the blocks, freed_bytes what the file system got back.

    Example:
      pinfold repo gc --dry-run
      pinfold repo gc
    """
    with open_node(data_dir) as node, ProgressBar(shown=progress) as bar:
        report = node.gc(dry_run=dry_run, progress=bar.update)
    if as_json:
        output.json_line(asdict(report))
        return
    if quiet:
        return
    verb, gained = ("would remove", "would free") if dry_run else ("removed", "freed")
    on_disk = f"{gained} {output.size(report.freed_bytes)} on disk"
    output.line(f"{verb} {output.count(report.blocks, 'block')} ({output.size(report.bytes)}), {on_disk}")
    if report.blocks and not report.freed_bytes:
        output.note(_NOT_YET)
    if report.segments_removed or report.segments_rewritten:
        output.line(
            f"{output.count(report.segments_removed, 'segment')} removed, {report.segments_rewritten} rewritten"
        )
