"""A file, whole or a range of it."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from pinfold.core.content_type import SNIFF_BYTES, content_type
from pinfold.core.errors import BlockNotFound, Corrupt
from pinfold.gateway import headers, ranges
from pinfold.gateway.node_thread import NodeThread
from pinfold.gateway.ranges import ByteRange
from pinfold.gateway.render.body import StreamedBody
from pinfold.gateway.request import GatewayRequest
from pinfold.gateway.resolver import Found, call_for
from pinfold.node.cat import FileReader

_UNKNOWN: Final = b"\xff\0"  # neither text nor anything else that a type is known of


async def render(
    node: NodeThread, request: GatewayRequest, found: Found, content: FileReader, size: int, *, index: str = ""
) -> Response:
    """The file that was found, or the one that stands for the folder that was found and is called ``index`` there.

    Only the blocks in which the wanted bytes lie must be here: where the first one is missing, the name alone decides
    the type.

    Raises:  BlockNotFound, Corrupt, MalformedBlock before anything was sent; Refusal (416).
    """
    tag = headers.etag(found.cid)
    wanted = _range(request, tag, size)
    sent = wanted or ByteRange(0, size)
    has_body = request.method != "HEAD" and sent.length > 0
    body = node.stream(lambda: content.cat(sent.start, sent.length))
    try:
        # What cannot be read must say so in the status, not in a torn body.
        first = await anext(body, b"") if has_body else b""
        head = first[:SNIFF_BYTES] if sent.start == 0 else b""
        if len(head) < min(size, SNIFF_BYTES):
            head = await call_for(
                node,
                request.address,
                content.cid,
                lambda: _beginning(content, min(size, SNIFF_BYTES), of_range=wanted is not None),
            )
    except BaseException:
        await body.aclose()
        raise
    fields = {
        **headers.of_content(request, found.roots, tag),
        **headers.disposition(request, "" if index else request.name),
        "Accept-Ranges": "bytes",
        "Content-Length": str(sent.length),
        "Content-Type": content_type(index or request.name, head or (_UNKNOWN if size else b"")),
    }
    if wanted is not None:
        fields["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{size}"
    status = 200 if wanted is None else 206
    if not has_body:
        return Response(status_code=status, headers=fields)
    return StreamedBody(first, body, status, fields)


def _beginning(content: FileReader, length: int, *, of_range: bool) -> bytes:
    """The first bytes of a file, as far as their blocks are here.

    Raises:  Corrupt where one of them is damaged, but not for a range that lies elsewhere.
    """
    head = b""
    try:
        for piece in content.cat(0, length):
            head += piece
    except BlockNotFound:
        pass
    except Corrupt:
        if not of_range:
            raise
    return head


def _range(request: GatewayRequest, tag: str, size: int) -> ByteRange | None:
    # Ranges are defined for GET only (RFC 9110, 14.2), and a copy of something else cannot be completed (13.1.5).
    if request.method != "GET" or not request.range or (request.if_range and request.if_range != tag):
        return None
    return ranges.parse(request.range, size)
