"""``pinfold block rm``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.options import DataDir, Json, Quiet, open_node


def command(
    cids: Annotated[list[str], typer.Argument(metavar="CID", help="Which blocks.")],
    force: Annotated[bool, typer.Option("--force", "-f", help="Do not mind blocks that are not here.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Remove blocks that no pin needs.

    A block that cannot be removed does not keep the others from going; the exit code is that of the first failure.

    --json prints {"cid"} for each block that was removed, and {"cid", "error", "code"} for each that was not.

    Example:
      pinfold block rm --force bafkreifvomsorwwiqokitrhtz3v563544in3bpa7rm4i6yt5nop54s3pca
    """
    from pinfold.core.cid import CID
    from pinfold.core.errors import PinfoldError

    wanted = [CID.parse(text) for text in cids]
    failures: list[PinfoldError] = []
    with open_node(data_dir) as node:
        for cid in wanted:
            try:
                removed = list(node.block_rm([cid], force=force))
            except PinfoldError as exc:
                failures.append(exc)
                if as_json:
                    output.json_line({"cid": str(cid), "error": str(exc), "code": exc.code})
                elif len(wanted) > 1:  # a single one is told at the end
                    output.note(f"cannot remove {cid}: {exc}")
                continue
            for gone in removed:
                if as_json:
                    output.json_line({"cid": str(gone)})
                else:
                    output.line(str(gone) if quiet else f"removed {gone}")
    if failures:
        raise failures[0]
