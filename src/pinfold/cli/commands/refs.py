"""``pinfold refs``, and ``pinfold refs local``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.options import DataDir, Json, open_node, usage_error

if TYPE_CHECKING:
    from pinfold import Node


def command(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="CID, CID/a/b, /ipfs/CID/a/b or ipfs://CID/a/b; or the word local."),
    ],
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Follow links all the way down.")] = False,
    unique: Annotated[bool, typer.Option("--unique", "-u", help="Print each CID once.")] = False,
    max_depth: Annotated[
        int, typer.Option(metavar="N", min=-1, help="With --recursive: links this far from the root; -1 is all.")
    ] = -1,
    edges: Annotated[bool, typer.Option("--edges", "-e", help="Print `FROM -> TO`.")] = False,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="TEXT", help="Print this, with <src>, <dst> and <linkname> filled in."),
    ] = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List the links of a DAG, or every block that is here (refs local).

    --json prints {"parent", "cid", "name"} for each link, and {"cid"} for each local block.

    Example:
      pinfold refs -r --unique bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24
      pinfold refs local
    """
    if edges and form is not None:
        raise usage_error("--edges and --format say the same thing twice")
    pattern = "<src> -> <dst>" if edges else form or "<dst>"
    with open_node(data_dir) as node:
        if paths == ["local"]:
            _local(node, as_json)
            return
        seen: set[str] = set()
        for path in paths:
            depth = None if max_depth < 0 else max_depth
            for ref in node.refs(path, recursive=recursive, unique=unique, max_depth=depth):
                parent, cid, name = str(ref.parent), str(ref.cid), ref.name
                if unique and len(paths) > 1:
                    if cid in seen:
                        continue
                    seen.add(cid)
                if as_json:
                    output.json_line({"parent": parent, "cid": cid, "name": name})
                    continue
                name = output.printable(name)
                output.line(pattern.replace("<src>", parent).replace("<dst>", cid).replace("<linkname>", name))


def _local(node: Node, as_json: bool) -> None:
    for cid in node.refs_local():
        if as_json:
            output.json_line({"cid": str(cid)})
        else:
            output.line(str(cid))
