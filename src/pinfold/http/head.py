"""What the head of a request says about its host and its body, read more strictly than the parser does.

A server and a proxy that disagree about where a request ends can be made to disagree about whose request comes next.
So every form that RFC 9112 leaves to judgement (section 6.3) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pinfold.http.refusal import Refusal

Fields = Sequence[tuple[bytes, bytes]]

# A name, an IPv4 address or an IPv6 address in brackets, and a port (RFC 3986, 3.2.2).  Underscores are in names of
# container networks.
_HOST: Final = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%-]+)(:[0-9]{0,5})?")

CHUNKED: Final = -1


def body_length(version: str, fields: Fields) -> int:
    """The length of the body that follows a head, ``CHUNKED`` where chunks say it; names are in lower case.

    Raises:  Refusal for a head that is refused.
    """
    if version not in ("1.1", "1.0"):
        raise Refusal(505, f"HTTP/{version[:8]} is not spoken here, HTTP/1.1 is", "HTTP_VERSION_NOT_SUPPORTED")
    hosts = codings = 0
    length: int | None = None
    host = coding = b""
    for name, value in fields:
        if name == b"host":
            hosts, host = hosts + 1, value
        elif name == b"content-length":
            if length is not None or not value.isdigit():
                raise _bad("there must be one Content-Length, a number")
            length = int(value)
        elif name == b"transfer-encoding":
            codings, coding = codings + 1, value
    if hosts != 1 and (hosts or version == "1.1"):
        raise _bad("a request must have exactly one Host header")
    if hosts and not _HOST.fullmatch(host):
        raise _bad("the Host header is not a name or an address, with or without a port")
    if not codings:
        return length or 0
    if codings > 1 or coding.lower() != b"chunked":
        raise _bad("the only transfer coding that is understood here is: chunked")
    if length is not None:
        raise _bad("Transfer-Encoding and Content-Length contradict each other")
    if version == "1.0":
        raise _bad("HTTP/1.0 has no Transfer-Encoding")
    return CHUNKED


def _bad(sentence: str) -> Refusal:
    return Refusal(400, sentence, "MALFORMED_REQUEST")
