"""``pinfold repo rebuild``."""

from __future__ import annotations

from pinfold.cli import output
from pinfold.cli.options import DataDir, Json, ShowProgress
from pinfold.cli.progress import ProgressBar
from pinfold.core.errors import VerificationFailed
from pinfold.node.model import RebuildReport


def command(as_json: Json = False, progress: ShowProgress = None, data_dir: DataDir = None) -> None:
    """Make a lost or damaged catalogue anew, pins included.

    The segments hold the blocks and the journal holds the pins, so nothing is lost with the catalogue alone.

    --json prints {"blocks", "pins", "segments", "lost_pins", "torn_bytes", "bad_lines", "journal_missing"}; lost_pins
    are those with missing blocks, bad_lines are lines of the journal that cannot be read.  Without a journal no pin
    can be restored: that is said, and the command fails.

    Example:
      pinfold repo rebuild
    """
    import pinfold

    with ProgressBar(shown=progress) as bar:
        report = pinfold.Node.rebuild(data_dir, progress=bar.update)
    lost = [str(cid) for cid in report.lost_pins]
    if as_json:
        output.json_line(
            {
                "blocks": report.blocks,
                "pins": report.pins,
                "segments": report.segments,
                "lost_pins": lost,
                "torn_bytes": report.torn_bytes,
                "bad_lines": report.bad_lines,
                "journal_missing": report.journal_missing,
            }
        )
        _check_journal(report)
        return
    blocks, pins = output.count(report.blocks, "block"), output.count(report.pins, "pin")
    output.line(f"rebuilt: {blocks} and {pins} from {output.count(report.segments, 'segment')}")
    if report.torn_bytes:
        output.line(f"{output.size(report.torn_bytes)} of unfinished records were cut off")
    for cid in lost:
        output.line(f"pin {cid} lacks blocks; `pinfold repo repair --from GATEWAY_URL` can fetch them")
    if report.bad_lines:
        lines = output.count(report.bad_lines, "line")
        output.line(f"{lines} of the pin journal cannot be read: see `pinfold pin ls` before `repo gc`")
    _check_journal(report)


def _check_journal(report: RebuildReport) -> None:
    if report.journal_missing and report.blocks:
        raise VerificationFailed(
            "there is no pin journal, so that no pin could be restored",
            hint="Put pins.journal back from a backup and rebuild again, or pin what you need before `repo gc`.",
        )
