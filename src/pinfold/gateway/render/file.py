"""A file, whole or a range of it."""

from __future__ import annotations

from starlette.responses import Response

from pinfold.core.cid import CID
from pinfold.core.content_type import SNIFF_BYTES, content_type
from pinfold.gateway import headers, ranges
from pinfold.gateway.node_thread import NodeThread
from pinfold.gateway.ranges import ByteRange
from pinfold.gateway.render.body import StreamedBody
from pinfold.gateway.request import GatewayRequest
from pinfold.gateway.resolver import Found, call_for


async def render(
    node: NodeThread, request: GatewayRequest, found: Found, size: int, *, file: CID | None = None, name: str = ""
) -> Response:
    """The file that was found (or ``file``, called ``name``, in the folder that was found).

    Raises:  BlockNotFound, Corrupt, MalformedBlock before anything was sent; Refusal (416).
    """
    cid = file or found.cid
    tag = headers.etag(found.cid)
    wanted = _range(request, tag, size)
    head = await call_for(
        node, request.address, cid, lambda: b"".join(node.node.cat(cid, offset=0, length=min(size, SNIFF_BYTES)))
    )
    sent = wanted or ByteRange(0, size)
    fields = {
        **headers.of_content(request, found.roots, tag),
        **headers.disposition(request, "" if file else request.name),
        "Accept-Ranges": "bytes",
        "Content-Length": str(sent.length),
        "Content-Type": content_type(name or request.name, head),
    }
    if wanted is not None:
        fields["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{size}"
    status = 200 if wanted is None else 206
    if request.method == "HEAD" or sent.length == 0:
        return Response(status_code=status, headers=fields)
    body = node.stream(lambda: node.node.cat(cid, offset=sent.start, length=sent.length))
    first = await anext(body, b"")  # what cannot be read must say so in the status, not in a torn body
    return StreamedBody(first, body, status, fields)


def _range(request: GatewayRequest, tag: str, size: int) -> ByteRange | None:
    # Ranges are defined for GET only (RFC 9110, 14.2), and a copy of something else cannot be completed (13.1.5).
    if request.method != "GET" or not request.range or (request.if_range and request.if_range != tag):
        return None
    return ranges.parse(request.range, size)
