"""``pinfold car verify``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.files import binary_input
from pinfold.cli.options import Json


def command(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A CAR; - is standard input.")],
    as_json: Json = False,
) -> None:
    """Hash every block of a CAR and list what is wrong with it.

    Ends with a code other than 0 when anything is.

    --json prints {"offset", "cid", "message"} for each problem; offset counts bytes from the beginning of the file.

    Example:
      pinfold car verify hello.car
      pinfold dag export bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am | pinfold car verify -
    """
    from pinfold.core import car
    from pinfold.core.cid import CID
    from pinfold.core.errors import VerificationFailed

    problems = 0
    with binary_input(file) as stream:
        for problem in car.verify(stream):
            problems += 1
            cid = str(CID.from_bytes(problem.cid)) if problem.cid else None
            if as_json:
                output.json_line({"offset": problem.offset, "cid": cid, "message": problem.message})
            else:
                output.line(f"byte {problem.offset}: {problem.message}")
    if problems:
        raise VerificationFailed(f"{file}: {problems} problem{'s' if problems > 1 else ''} found")
    if not as_json:
        output.line(f"{file}: every block matches its CID")
