"""One block, as it is, for programs that verify it themselves."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from pinfold.core.cid import RAW
from pinfold.gateway import headers
from pinfold.gateway.node_thread import NodeThread
from pinfold.gateway.render.body import StreamedBody
from pinfold.gateway.request import Format, GatewayRequest
from pinfold.gateway.resolver import Found

MEDIA_TYPE = "application/vnd.ipld.raw"
_WHOLE_BYTES: Final = 256 << 10  # held in memory while a client takes it, however slow it is


async def render(node: NodeThread, request: GatewayRequest, found: Found) -> Response:
    """The block.  Raises: BlockNotFound, BlockCorrupt.

    Source:  Trustless Gateway specification, "application/vnd.ipld.raw" (specs.ipfs.tech/http-gateways).
    """
    named = headers.disposition(request, f"{found.cid}.bin")["Content-Disposition"].replace("inline", "attachment", 1)
    fields = {
        **headers.of_content(request, found.roots, headers.etag(found.cid, Format.RAW)),
        "Content-Disposition": named,
        "Content-Type": MEDIA_TYPE,
    }
    size = await node.call(lambda: node.node.block_stat(found.cid))
    if found.cid.codec != RAW or size <= _WHOLE_BYTES:
        data = await node.call(lambda: node.node.block_get(found.cid))
        return Response(bytes(data), headers=fields)
    fields["Content-Length"] = str(size)
    if request.method == "HEAD":
        return Response(headers=fields)
    # The bytes of a raw block are a file's, so it is read piece by piece as one.
    body = node.stream(lambda: node.node.cat(found.cid))
    first = await anext(body, b"")
    return StreamedBody(first, body, 200, fields)
