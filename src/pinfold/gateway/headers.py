"""Every header the gateway writes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Final
from urllib.parse import quote

from pinfold.core.cid import CID
from pinfold.gateway.request import Format, GatewayRequest, show_name

IMMUTABLE: Final = "public, max-age=29030400, immutable"  # 48 weeks; what a CID names never changes
_LISTING_MAX_AGE: Final = "public, max-age=604800, stale-while-revalidate=2678400"  # pages may look better next week

COMMON: Final = {
    "X-Content-Type-Options": "nosniff",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, Range, User-Agent, X-Requested-With",
    "Access-Control-Expose-Headers": "Content-Length, Content-Range, X-Ipfs-Path, X-Ipfs-Roots",
}

# A page made by another template is another page.
_TEMPLATE: Final = hashlib.sha256(
    resources.files("pinfold.gateway").joinpath("templates/listing.html").read_bytes()
).hexdigest()[:12]


def etag(cid: CID, form: Format = Format.RENDERED) -> str:
    """The strong ETag of content."""
    return f'"{cid}.raw"' if form is Format.RAW else f'"{cid}"'


def directory_etag(cid: CID, page: int) -> str:
    """The ETag of one page of a folder's listing."""
    return f'"DirIndex-{_TEMPLATE}-{page}_CID-{cid}"'


def matches(if_none_match: str, tag: str) -> bool:
    """Whether ``If-None-Match`` names ``tag``, weakly compared (RFC 9110, 13.1.2)."""
    candidates = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return "*" in candidates or tag in candidates


def of_content(request: GatewayRequest, roots: Sequence[CID], tag: str, *, is_listing: bool = False) -> dict[str, str]:
    """The headers of an answer that carries content, or says that it has not changed."""
    return {
        **COMMON,
        "Cache-Control": _LISTING_MAX_AGE if is_listing else IMMUTABLE,
        "ETag": tag,
        "Vary": "Accept",
        "X-Ipfs-Path": request.content_path,
        "X-Ipfs-Roots": ",".join(map(str, roots)),
    }


def disposition(request: GatewayRequest, fallback: str = "") -> dict[str, str]:
    """How a browser should treat a file: shown, unless a download was asked for; under which name, where one is."""
    name = show_name(request.filename or fallback)
    if not name and not request.download:
        return {}
    kind = "attachment" if request.download else "inline"
    plain = "".join(c if " " <= c <= "~" and c not in '"\\' else "_" for c in name)
    value = f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}" if name else kind
    return {"Content-Disposition": value}
