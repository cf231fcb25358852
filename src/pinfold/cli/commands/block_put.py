"""``pinfold block put``."""

from __future__ import annotations

from typing import Annotated

import typer

from pinfold.cli import output
from pinfold.cli.files import binary_input
from pinfold.cli.options import DataDir, Json, codec_code, hash_code, open_node


def command(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE", help="One block each; - or none is standard input.")
    ] = None,
    codec: Annotated[
        str, typer.Option("--cid-codec", metavar="NAME", help="raw, dag-pb, dag-cbor or dag-json.")
    ] = "raw",
    hash_name: Annotated[
        str, typer.Option("--mhtype", "--hash", metavar="NAME", help="The hash function.")
    ] = "sha2-256",
    cid_version: Annotated[int, typer.Option(metavar="N", min=0, max=1, help="The version of the CID.")] = 1,
    pin: Annotated[bool, typer.Option(help="Pin it.")] = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Store bytes as one block and print its CID.

    --json prints {"cid", "size_bytes"} for each block.

    Example:
      echo hello | pinfold block put
      pinfold block put --mhtype blake3 hello.txt
    """
    from pinfold.core.block import MAX_BLOCK_BYTES

    with open_node(data_dir) as node:
        for name in files or ["-"]:
            with binary_input(name) as stream:
                data = stream.read(MAX_BLOCK_BYTES + 1)  # one byte more is refused without reading the rest
            cid = node.block_put(
                data, codec=codec_code(codec), hash_code=hash_code(hash_name), cid_version=cid_version, pin=pin
            )
            if as_json:
                output.json_line({"cid": str(cid), "size_bytes": len(data)})
            else:
                output.line(str(cid))
