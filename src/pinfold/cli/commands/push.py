"""``pinfold push``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.options import Json, ShowProgress, usage_error
from pinfold.cli.progress import ProgressBar
from pinfold.cli.remote import Tags, open_server

if TYPE_CHECKING:
    from pinfold.client import Pushed


def command(
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Files and folders.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="What to call it there.  Default: its own name.")
    ] = None,
    tags: Tags = None,
    profile: Annotated[
        str, typer.Option(metavar="NAME", help="unixfs-v1-2025 or unixfs-v0-2015 (what Kubo does by default).")
    ] = "unixfs-v1-2025",
    hidden: Annotated[bool, typer.Option("--hidden", "-H", help="Take names that begin with a dot, too.")] = False,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="Leave out what matches, as in .gitignore; repeatable.")
    ] = None,
    as_json: Json = False,
    progress: ShowProgress = None,
) -> None:
    """Send files and folders to a server, only what it does not have yet.

    The DAG is built here; the server is asked what it lacks, and gets just those blocks.  An unchanged folder sends
    nothing; after one changed file only the blocks on the way to it travel.  What breaks off is repeated by running it
    again.  A link to the server's gateway is printed last.  Needs `pinfold login` first, with a token that has the
    scopes files:read and files:write.  Symbolic links are sent as links; the data folder of a node is left out.

    --json prints {"path", "link", "cid", "id", "blocks_sent", "blocks", "bytes_sent", "bytes"} for each path.

    Example:
      pinfold push photos
      pinfold push --name trip --tag 2026 photos
    """
    from pinfold.client import push
    from pinfold.client.tree import Tree
    from pinfold.unixfs.profile import profile as profile_of

    if name is not None and len(paths) > 1:
        raise usage_error("--name names one thing; push one path at a time")
    chosen = profile_of(profile)
    with open_server() as server, ProgressBar(shown=progress) as bar:
        gateway = str(server.me()["gateway_url"])
        for path in paths:
            with Tree.of(path, chosen, hidden=hidden, ignore=ignore or (), progress=bar.update) as tree:
                query = {"name": name or tree.name, "tags": tags or []}
                pushed = push(server, tree, query=query, progress=bar.update)
            bar.clear()
            _print(path, pushed, gateway, as_json, shown=name or path)
            sys.stdout.flush()  # whoever reads this through a pipe may act on it now
            for sentence in tree.left_out:
                output.note(output.printable(sentence))


def _print(path: str, pushed: Pushed, gateway: str, as_json: bool, *, shown: str) -> None:
    sent, whole = pushed.sent, pushed.whole
    link = f"{gateway}/ipfs/{pushed.cid}"
    if as_json:
        output.json_line(
            {
                "path": path,
                "link": link,
                "cid": str(pushed.cid),
                "id": str(pushed.record["id"]),
                "blocks_sent": sent.blocks,
                "blocks": whole.blocks,
                "bytes_sent": sent.bytes,
                "bytes": whole.bytes,
            }
        )
        return
    output.line(f"pushed {pushed.cid} {output.printable(shown)}")
    if sent.blocks:
        output.line(
            f"sent {sent.blocks:,} of {whole.blocks:,} blocks ({output.size(sent.bytes)} of {output.size(whole.bytes)})"
        )
    else:
        output.line(f"sent nothing: all {whole.blocks:,} blocks are there ({output.size(whole.bytes)})")
    output.line(link)
