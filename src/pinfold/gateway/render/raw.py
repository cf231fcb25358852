"""One block, as it is, for programs that verify it themselves."""

from __future__ import annotations

from starlette.responses import Response

from pinfold.gateway import headers
from pinfold.gateway.node_thread import NodeThread
from pinfold.gateway.request import Format, GatewayRequest
from pinfold.gateway.resolver import Found

MEDIA_TYPE = "application/vnd.ipld.raw"


async def render(node: NodeThread, request: GatewayRequest, found: Found) -> Response:
    """The block.  Raises: BlockNotFound, BlockCorrupt.

    Source:  Trustless Gateway specification, "application/vnd.ipld.raw" (specs.ipfs.tech/http-gateways).
    """
    tag = headers.etag(found.cid, Format.RAW)
    data = await node.call(lambda: node.node.block_get(found.cid))
    named = headers.disposition(request, f"{found.cid}.bin")["Content-Disposition"].replace("inline", "attachment", 1)
    return Response(
        bytes(data),
        media_type=MEDIA_TYPE,
        headers={**headers.of_content(request, found.roots, tag), "Content-Disposition": named},
    )
