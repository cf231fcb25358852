"""Content paths: a root CID and the names that lead on from it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from pinfold.core.cid import CID
from pinfold.core.errors import IdentityTooLarge, InsecureHash, InvalidCID, InvalidPath


@dataclass(frozen=True, slots=True)
class ContentPath:
    """``/ipfs/<root>/<segment>/…``; names that are not UTF-8 carry surrogate escapes, as ``os.fsdecode`` makes them."""

    root: CID
    segments: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> ContentPath:
        """The path that a person wrote: ``CID``, ``CID/a``, ``/ipfs/CID/a`` or ``ipfs://CID/a``.

        Empty segments count for nothing. Percent signs are decoded in ``ipfs://`` alone, where a query and a fragment
        are no part of the path either; elsewhere they belong to the name.

        Raises:  InvalidPath; InsecureHash and IdentityTooLarge for a root that nobody should trust.
        """
        scheme, separator, rest = text.partition("://")
        if separator and scheme.lower() == "ipfs":
            path = rest.partition("#")[0].partition("?")[0]
            parts = [_percent_decoded(part, text) for part in path.split("/") if part]
        elif (separator and scheme.lower() == "ipns") or text.startswith("/ipns/"):
            raise InvalidPath(f"{_quoted(text)} is a name; names (/ipns/) are not supported yet")
        elif text.startswith("/ipfs/"):
            parts = [part for part in text[len("/ipfs/") :].split("/") if part]
        elif text.startswith("/"):
            raise InvalidPath(f"{_quoted(text)} is no content path: it begins with neither /ipfs/ nor a CID")
        else:
            parts = [part for part in text.split("/") if part]
        if not parts:
            raise InvalidPath(f"{_quoted(text)} is no content path: it has no CID")
        try:
            root = CID.parse(parts[0])
        except (InsecureHash, IdentityTooLarge):
            raise
        except InvalidCID as exc:
            raise InvalidPath(f"{_quoted(text)} is no content path: {exc}") from None
        return cls(root, tuple(parts[1:]))

    @property
    def names(self) -> tuple[bytes, ...]:
        """The segments as folders store them."""
        return tuple(segment.encode("utf-8", "surrogateescape") for segment in self.segments)

    def __str__(self) -> str:
        return "/".join(("/ipfs", str(self.root), *self.segments))


def _percent_decoded(part: str, text: str) -> str:
    name = unquote_to_bytes(part.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
    if "/" in name:
        raise InvalidPath(f"{_quoted(text)} is no content path: no name can have a slash inside (%2F)")
    return name


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 200 else text[:200] + "…")
