"""What is refused, or answered, before any block is read."""

from __future__ import annotations

from typing import Final

from starlette.types import Scope

from pinfold.gateway.errors import Refusal
from pinfold.gateway.headers import directory_etag, etag, matches
from pinfold.gateway.request import Format, GatewayRequest

_LEAST_SLASHES: Final = 3  # of /ipfs/CID/script.js
METHODS: Final = ("GET", "HEAD", "OPTIONS")


def check_scope(scope: Scope) -> None:
    """Raises:  Refusal for a method or a namespace that this gateway does not serve."""
    if scope["method"] not in METHODS:
        raise Refusal(
            405, f"{scope['method']} is not possible here: content is only read", {"Allow": ", ".join(METHODS)}
        )
    path: str = scope["path"]
    if path.startswith(("/ipns/", "/ipld/")):
        raise Refusal(501, f"this gateway does not serve {path[:6]} yet; it serves /ipfs/CID/path")
    if not path.startswith("/ipfs/"):
        raise Refusal(404, "there is nothing here; content is at /ipfs/CID/path")
    if path == "/ipfs/":
        raise Refusal(400, "a CID must follow: /ipfs/CID/path")
    if _registers_too_widely(scope):
        raise Refusal(400, "a service worker at this path could control content of other CIDs: put it in a folder")


def _registers_too_widely(scope: Scope) -> bool:
    """Whether a browser wants a script for a service worker whose scope, the script's folder, is not below a CID.

    All content shares the gateway's origin: a worker with the scope ``/ipfs/`` would see and change all of it.
    """
    if not any(name == b"service-worker" and value.strip().lower() == b"script" for name, value in scope["headers"]):
        return False
    # By the raw path, which the browser goes by: /ipfs/CID has the scope /ipfs/, /ipfs/CID/a.js has /ipfs/CID/.
    raw: str = scope["raw_path"].decode("latin-1")
    return raw.count("/") < _LEAST_SLASHES


def tag_already_held(request: GatewayRequest) -> str | None:
    """The ETag of the client's copy of a root, where it has one: any copy is current, and no block needs to be read."""
    if request.segments or not request.if_none_match:
        return None
    if request.format is Format.RAW:
        tags = [etag(request.root, Format.RAW)]
    else:
        tags = [etag(request.root), directory_etag(request.root, request.page)]
    return next((tag for tag in tags if matches(request.if_none_match, tag)), None)
