"""A symbolic link: its target as text, for nothing here follows it."""

from __future__ import annotations

from starlette.responses import Response

from pinfold.gateway import headers
from pinfold.gateway.request import GatewayRequest
from pinfold.gateway.resolver import Found


def render(request: GatewayRequest, found: Found, target: bytes) -> Response:
    """The path that the link holds."""
    fields = headers.of_content(request, found.roots, headers.etag(found.cid))
    return Response(target, media_type="inode/symlink", headers=fields)
