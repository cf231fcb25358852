"""What a client asks the gateway for, read once and frozen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qs, quote_from_bytes, unquote_to_bytes

from starlette.datastructures import Headers
from starlette.types import Scope

from pinfold.core.cid import CID
from pinfold.gateway.errors import Refusal

_MAX_SEGMENTS: Final = 256  # deeper than any honest path
_PREFIX: Final = "/ipfs/"


class Format(StrEnum):
    """In which form content is wanted."""

    RENDERED = "rendered"
    """Files as files, folders as pages."""
    RAW = "raw"
    """One block, as it is."""


_FORMATS: Final = {"raw": Format.RAW}
_ACCEPTED: Final = {"application/vnd.ipld.raw": Format.RAW}
_KNOWN_ELSEWHERE: Final = frozenset({"car", "tar", "dag-json", "dag-cbor", "json", "cbor", "ipns-record"})


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    """One request for content."""

    method: str
    root: CID
    segments: tuple[str, ...]
    """Names below the root; bytes that are no UTF-8 are surrogate-escaped."""
    ends_with_slash: bool
    query: str
    format: Format
    filename: str
    """The name that ``?filename=`` gives."""
    download: bool
    page: int
    range: str
    if_range: str
    if_none_match: str
    address: str = ""
    """The network address that the request came from."""

    @classmethod
    def read(cls, scope: Scope) -> GatewayRequest:
        """The request of an ASGI scope whose path begins with ``/ipfs/``.  Raises: Refusal, InvalidCID."""
        headers = Headers(scope=scope)
        # The raw path, for a %2F in a name is no separator.
        raw: str = scope["raw_path"].decode("latin-1")
        parts = raw.removeprefix(_PREFIX).split("/")
        segments = tuple(_decode(part) for part in parts[1:] if part)
        if len(segments) > _MAX_SEGMENTS:
            raise Refusal(414, f"the path has more than {_MAX_SEGMENTS} names")
        query = scope["query_string"].decode("latin-1")
        options = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
        return cls(
            method=scope["method"],
            root=CID.parse(_decode(parts[0])),
            segments=segments,
            ends_with_slash=raw.endswith("/"),
            query=query,
            format=_format(options.get("format", ""), headers.get("accept", "")),
            filename=options.get("filename", ""),
            download=options.get("download", "") == "true",
            page=int(options["page"]) if options.get("page", "")[:9].isdecimal() else 1,
            range=headers.get("range", ""),
            if_range=headers.get("if-range", ""),
            if_none_match=headers.get("if-none-match", ""),
            address=scope["client"][0] if scope.get("client") else "",
        )

    @property
    def content_path(self) -> str:
        """``/ipfs/CID/a/b`` with names percent-encoded, as headers and links write it."""
        return "/".join(["/ipfs", str(self.root), *map(encode_name, self.segments)])

    @property
    def name(self) -> str:
        """What the content is called here: the name asked for, or the last of the path."""
        return self.filename or (self.segments[-1] if self.segments else "")


def encode_name(name: str) -> str:
    """A name as one segment of a URL."""
    return quote_from_bytes(name.encode("utf-8", "surrogateescape"), safe="")


def show_name(name: str) -> str:
    """A name as people can read it, whatever its bytes are."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _decode(part: str) -> str:
    return unquote_to_bytes(part).decode("utf-8", "surrogateescape")


def _format(asked: str, accept: str) -> Format:
    if asked:
        if asked in _FORMATS:
            return _FORMATS[asked]
        if asked in _KNOWN_ELSEWHERE:
            raise Refusal(501, f"this gateway does not serve the format {asked!r} yet; it serves: raw")
        raise Refusal(400, f"there is no format {asked[:40]!r}; this gateway serves: raw")
    for kind in accept.split(","):
        found = _ACCEPTED.get(kind.partition(";")[0].strip().lower())
        if found is not None:
            return found
    return Format.RENDERED
