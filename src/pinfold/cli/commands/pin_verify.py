"""``pinfold pin verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output, reports
from pinfold.cli.options import DataDir, Json, open_node

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pinfold import Node
    from pinfold.core.cid import CID


def command(
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH", help="Pins to check; none is all.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Implied; taken for Kubo's sake.")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the CIDs of broken pins only.")] = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Hash every block of pins again and say what is missing or corrupt.

    Ends with a code other than 0 when a pin is broken.

    --json prints {"cid", "ok", "blocks", "bytes", "problems"} for each pin; a problem is {"kind", "message", "cid",
    "pins"}.

    Example:
      pinfold pin verify bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
      pinfold pin verify
    """
    from pinfold.core.errors import VerificationFailed

    broken = 0
    with open_node(data_dir) as node:
        for cid in _pins(node, paths):
            report = node.pin_verify(cid)
            broken += not report.ok
            if as_json:
                output.json_line({"cid": str(cid), **reports.verify_fields(report)})
            elif quiet:
                if not report.ok:
                    output.line(str(cid))
            else:
                output.line(f"{cid} {'ok' if report.ok else 'broken'}")
                for problem in report.problems:
                    output.line(f"  {problem.message}")
    if broken:
        raise VerificationFailed(
            f"{broken} pin{'s are' if broken > 1 else ' is'} broken",
            hint="`pinfold repo repair --from GATEWAY_URL` fetches what is bad or missing.",
        )


def _pins(node: Node, paths: list[str] | None) -> Iterable[CID]:
    from pinfold.core.pin import PinMode

    if paths:
        return [node.resolve(path).cid for path in paths]
    # a list: pins are few beside blocks, and a check of hours must not hold a read of the pinset open
    return [pin.cid for mode in (PinMode.RECURSIVE, PinMode.DIRECT) for pin in node.pin_ls(mode=mode)]
