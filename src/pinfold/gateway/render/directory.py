"""A folder: its index.html, or a page that lists it."""

from __future__ import annotations

from typing import Final, NamedTuple

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.responses import RedirectResponse, Response

from pinfold.gateway import headers
from pinfold.gateway.errors import Refusal
from pinfold.gateway.node_thread import NodeThread
from pinfold.gateway.render import file as file_renderer
from pinfold.gateway.request import GatewayRequest, encode_name, show_name
from pinfold.gateway.resolver import Found, call_for, child
from pinfold.node.model import DirEntry

PAGE_ENTRIES: Final = 1000  # what a browser shows at once without thinking
INDEX: Final = "index.html"

_KIB: Final = 1024
_templates = Environment(loader=PackageLoader("pinfold.gateway"), autoescape=select_autoescape(), trim_blocks=True)


class Crumb(NamedTuple):
    """One step of the path above the listing."""

    name: str
    link: str


class Line(NamedTuple):
    """One entry of the listing."""

    name: str
    link: str
    size: str
    kind: str
    cid: str
    cid_link: str


async def render(node: NodeThread, request: GatewayRequest, found: Found) -> Response:
    """The folder's ``index.html`` where it has one, else the listing; both only below a trailing slash."""
    if not request.ends_with_slash:
        # Links in the page are relative: without the slash they would lead beside the folder.
        location = request.content_path + "/" + (f"?{request.query}" if request.query else "")
        return RedirectResponse(location, 301, {**headers.COMMON, "X-Ipfs-Path": request.content_path})
    index = await child(node, request.address, found.cid, INDEX)
    if index is not None:
        content = node.node.open_file(index)
        info = await call_for(node, request.address, index, content.info)
        if info.kind in ("file", "raw"):
            return await file_renderer.render(node, request, found, content, info.size or 0, index=INDEX)
    entries = await node.folders.entries(request.address, found.cid)
    pages = max(1, -(-len(entries) // PAGE_ENTRIES))
    if not 1 <= request.page <= pages:
        raise Refusal(404, f"the folder has {pages} pages, and none of number {request.page}")

    def page() -> str:
        links = entries.part((request.page - 1) * PAGE_ENTRIES, request.page * PAGE_ENTRIES)
        return listing(request, found, node.node.describe_links(links), len(entries), pages, is_cut=entries.is_cut)

    html = await node.heavy.run(request.address, page)
    fields = headers.of_content(request, found.roots, headers.directory_etag(found.cid, request.page), is_listing=True)
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return Response(html, media_type="text/html", headers={**fields, "Content-Security-Policy": policy})


def listing(
    request: GatewayRequest, found: Found, shown: list[DirEntry], total: int, pages: int, *, is_cut: bool
) -> str:
    """One page of a folder that has ``total`` entries and ``pages`` pages."""
    names = [str(request.root), *map(show_name, request.segments)]
    links = [str(request.root), *map(encode_name, request.segments)]
    return _templates.get_template("listing.html").render(
        title="/ipfs/" + "/".join(names),
        crumbs=[Crumb(name, "/ipfs/" + "/".join(links[: depth + 1]) + "/") for depth, name in enumerate(names)],
        cid=str(found.cid),
        has_parent=bool(request.segments),
        lines=[_line(entry) for entry in shown],
        total=total,
        cut=is_cut,
        page=request.page,
        pages=pages,
    )


def _line(entry: DirEntry) -> Line:
    slash = "/" if entry.kind == "directory" else ""
    cid = str(entry.cid)
    return Line(
        name=show_name(entry.name) + slash,
        link=f"./{encode_name(entry.name)}{slash}",
        size=readable_size(entry.size_bytes),
        kind=entry.kind,
        cid=f"{cid[:10]}…{cid[-6:]}",
        # Below its own CID a file has no name, so the link says what to call it.
        cid_link=f"/ipfs/{cid}{slash}" if slash else f"/ipfs/{cid}?filename={encode_name(entry.name)}",
    )


def readable_size(size_bytes: int) -> str:
    """Bytes as people read them: three figures and a unit."""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < _KIB:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= _KIB
    return f"{size:,.1f} PiB"
