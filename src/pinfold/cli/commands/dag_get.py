"""``pinfold dag get``."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from pinfold.cli import output
from pinfold.cli.options import ContentPathArgument, DataDir, codec_code, open_node


def command(
    path: ContentPathArgument,
    output_codec: Annotated[
        Literal["dag-json", "dag-cbor", "dag-pb", "raw"], typer.Option(help="How to write it.")
    ] = "dag-json",
    data_dir: DataDir = None,
) -> None:
    """Print one node of a DAG.

    A path may lead into the node.

    Example:
      pinfold dag get bafyreigkmd6bh55atcglqabsktynwbc7yiw5jrccuze7qk24gkjhtcblpa
      pinfold dag get bafyreigkmd6bh55atcglqabsktynwbc7yiw5jrccuze7qk24gkjhtcblpa/greeting
    """
    from pinfold.core import codec

    with open_node(data_dir) as node:
        value = node.dag_get(path)
    data = codec.encode(codec_code(output_codec), value)
    if output_codec != "dag-json":
        output.binary_stdout(output_codec)
    sys.stdout.buffer.write(data)
    if sys.stdout.isatty():  # a pipe gets the node's bytes and nothing more, as from Kubo
        sys.stdout.buffer.write(b"\n")
