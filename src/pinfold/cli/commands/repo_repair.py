"""``pinfold repo repair``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli import output, reports
from pinfold.cli.options import DataDir, Json, ShowProgress, open_node
from pinfold.cli.progress import ProgressBar


def command(
    gateways: Annotated[
        list[str],
        typer.Option("--from", metavar="GATEWAY_URL", help="A gateway to fetch from; repeatable, tried in order."),
    ],
    as_json: Json = False,
    progress: ShowProgress = None,
    data_dir: DataDir = None,
) -> None:
    """Fetch bad and missing blocks again from a gateway, verified.

    Nothing is trusted: a block counts when its bytes match its CID.  Ends with a code other than 0 when something is
    still bad.

    --json prints {"repaired": [CID], "failed": [{"kind", "message", "cid", "pins"}]}.

    Example:
      pinfold repo repair --from http://127.0.0.1:8080
    """
    from pinfold.core.errors import VerificationFailed

    with open_node(data_dir) as node, ProgressBar(shown=progress) as bar:
        report = node.repair(gateways, progress=bar.update)
    if as_json:
        output.json_line(
            {
                "repaired": [str(cid) for cid in report.repaired],
                "failed": [reports.problem_fields(problem) for problem in report.failed],
            }
        )
    else:
        for cid in report.repaired:
            output.line(f"repaired {cid}")
        for problem in report.failed:
            reports.problem_lines(problem)
    if report.failed:
        raise VerificationFailed(f"{len(report.failed)} of the problems could not be mended")
    if not as_json and not report.repaired:
        output.line("nothing to repair")
