"""``pinfold dag put``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from pinfold.cli import output
from pinfold.cli.files import binary_input
from pinfold.cli.options import DataDir, Json, codec_code, hash_code, open_node


def command(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE", help="Nodes; - or none is standard input.")
    ] = None,
    store_codec: Annotated[
        Literal["dag-cbor", "dag-json", "dag-pb", "raw"], typer.Option(help="How to store it.")
    ] = "dag-cbor",
    input_codec: Annotated[
        Literal["dag-json", "dag-cbor", "dag-pb", "raw"], typer.Option(help="How it is written.")
    ] = "dag-json",
    hash_name: Annotated[str, typer.Option("--hash", metavar="NAME", help="The hash function.")] = "sha2-256",
    pin: Annotated[bool, typer.Option(help="Pin it.")] = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Store one node and print its CID.

    --json prints {"cid"} for each node.

    Example:
      echo '{"greeting": "hello"}' | pinfold dag put
    """
    from pinfold.core import codec

    with open_node(data_dir) as node:
        for name in files or ["-"]:
            with binary_input(name) as stream:
                value = codec.decode(codec_code(input_codec), stream.read())
            cid = node.dag_put(value, store_codec=codec_code(store_codec), hash_code=hash_code(hash_name), pin=pin)
            if as_json:
                output.json_line({"cid": str(cid)})
            else:
                output.line(str(cid))
