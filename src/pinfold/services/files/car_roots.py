"""What a root that came in a CAR is: a file, a folder, or some other DAG, and how large its content is.

Quotas count the bytes of blocks instead (see ``FileRow.block_bytes``): sizes in a CAR are what its maker claims.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from pinfold.core.binary_cid import codec_of
from pinfold.core.cid import CID, DAG_PB, RAW, codec_name
from pinfold.core.errors import InvalidInput
from pinfold.node import Node
from pinfold.node.footprint import pinned_bytes
from pinfold.services.files.model import FOLDER_TYPE, Stored
from pinfold.unixfs.read import inspect, list_directory

MAX_SIZE_BYTES: Final = 1 << 53
"""What a DAG may claim to hold; more is no honest claim, and sums of it would not fit into a counter."""
_MOST_ENTRIES: Final = 200_000  # summed up one by one: about 40 MB, and ten seconds
_SLACK_BYTES: Final = 1 << 20  # what the nodes above the bytes of small files may weigh


def describe_root(node: Node, root: CID) -> Stored:
    """The file that a pinned root is.  Raises: InvalidInput for a size that nobody can have."""
    sizes = _Sizes(node)
    content_type, is_folder = "application/octet-stream", False
    payload = pinned_bytes(node.store, root)
    try:
        kind, size = sizes.of(root.bytes, payload)
    except InvalidInput:  # other codecs, and dag-pb that is no UnixFS
        kind, size = "dag", 0
    if kind == "dag":
        content_type, size = f"application/vnd.ipld.{codec_name(codec_of(root.bytes))}", payload
    elif kind in ("directory", "hamt"):
        content_type, is_folder = FOLDER_TYPE, True
    if size > MAX_SIZE_BYTES:
        raise InvalidInput(f"{root} claims {size:,} bytes, more than anything can have")
    if payload > 2 * size + _SLACK_BYTES:  # a claim far below the bytes that are really there is not believed
        size = payload
    return Stored(root, str(root), size, content_type, "", is_folder)


class _Sizes:
    """Bytes of content by root, each node looked at once however often it is linked."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._known: dict[bytes, int] = {}

    def of(self, root: bytes, block_bytes: int) -> tuple[str, int]:
        """The kind of a UnixFS root and its bytes; ``block_bytes`` where its folders have too many entries to add up.

        Raises:  InvalidInput where it is no UnixFS.
        """
        info = inspect(root, self._get)
        if info.kind not in ("directory", "hamt"):
            return info.kind, info.size or 0
        # Depth first without recursion: a folder is summed up when everything in it is known.
        stack: list[tuple[bytes, list[bytes] | None]] = [(root, None)]
        while stack:
            cid, children = stack.pop()
            if children is not None:
                self._known[cid] = min(sum(self._known.get(child, 0) for child in children), 2 * MAX_SIZE_BYTES)
                continue
            if cid in self._known:
                continue
            self._known[cid] = 0  # a claim that leads back here counts nothing
            children = self._children(cid)
            if len(self._known) + len(stack) + len(children or ()) > _MOST_ENTRIES:
                return info.kind, block_bytes
            if children is not None:
                stack.append((cid, children))
                stack.extend((child, None) for child in children if child not in self._known)
        return info.kind, self._known[root]

    def _children(self, cid: bytes) -> list[bytes] | None:
        """What a folder links to; None for anything else, whose size is noted."""
        if codec_of(cid) == RAW:
            self._known[cid] = self._node.block_stat(CID.from_bytes(cid))
        if codec_of(cid) != DAG_PB:
            return None
        try:
            info = inspect(cid, self._get)
            if info.kind in ("directory", "hamt"):
                return [entry.cid for entry in islice(list_directory(cid, self._get), _MOST_ENTRIES + 1)]
        except InvalidInput:
            return None
        self._known[cid] = info.size or 0
        return None

    def _get(self, cid: bytes) -> bytes:
        return self._node.block_get(CID.from_bytes(cid))
