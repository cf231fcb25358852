"""``pinfold repo verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinfold.cli import output, reports
from pinfold.cli.options import DataDir, Json, ShowProgress, open_node
from pinfold.cli.progress import ProgressBar

if TYPE_CHECKING:
    from pinfold.node.model import ProblemKind


def command(as_json: Json = False, progress: ShowProgress = None, data_dir: DataDir = None) -> None:
    """Hash every block again and check pins, catalogue and segments.

    Lists each problem with the pins that need what is bad, and ends with a code other than 0 when there is one.

    --json prints {"ok", "blocks", "bytes", "pins", "problems"}; a problem is {"kind", "message", "cid", "pins"}.

    Example:
      pinfold repo verify
    """
    from pinfold.core.errors import VerificationFailed

    with open_node(data_dir) as node, ProgressBar(shown=progress) as bar:
        report = node.verify(progress=bar.update)
    if as_json:
        output.json_line({**reports.verify_fields(report), "pins": report.pins})
    else:
        for problem in report.problems:
            reports.problem_lines(problem)
    if not report.ok:
        count = len(report.problems)
        raise VerificationFailed(
            f"{output.count(count, 'problem')} found in {output.count(report.blocks, 'block')}",
            hint=_hint({problem.kind for problem in report.problems}),
        )
    if not as_json:
        blocks, pins = output.count(report.blocks, "block"), output.count(report.pins, "pin")
        output.line(f"verify complete, all blocks validated: {blocks} ({output.size(report.bytes)}), {pins}")


def _hint(kinds: set[ProblemKind]) -> str:
    """What helps against problems of these kinds, the most urgent first."""
    from pinfold.node.model import ProblemKind

    if kinds & {ProblemKind.CORRUPT_BLOCK, ProblemKind.MISSING_BLOCK}:
        return "`pinfold repo repair --from GATEWAY_URL` fetches bad and missing blocks again."
    if ProblemKind.BAD_CATALOGUE in kinds:
        return "`pinfold repo rebuild` makes the catalogue anew from the segments and the pin journal."
    if ProblemKind.BAD_JOURNAL in kinds:
        return "The catalogue knows every pin: move pins.journal away, and the next command writes it anew."
    return ""
