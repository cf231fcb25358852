"""How the leaves of a file become a tree: balanced, or trickle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pinfold.core.cid import DAG_PB
from pinfold.unixfs import message
from pinfold.unixfs.dag import Built, Emit, encode_data, encode_links, put
from pinfold.unixfs.message import Metadata
from pinfold.unixfs.profile import Profile

TRICKLE_REPEAT: Final = 4  # how many subtrees of each depth a trickle node has; a constant of the format


def file_node(children: Sequence[Built], profile: Profile, emit: Emit, metadata: Metadata | None = None) -> Built:
    """A file node over its children, in their order."""
    size = sum(child.size for child in children)
    links = encode_links((b"", child.cid, child.tsize) for child in children)
    body = message.encode_file(message.FILE, size, (child.size for child in children), metadata)
    block = links + encode_data(body)
    cid = put(profile, DAG_PB, block, emit)
    return Built(cid, len(block) + sum(child.tsize for child in children), size)


def balanced(leaves: Sequence[Built], profile: Profile, emit: Emit, metadata: Metadata | None = None) -> Built:
    """The root over two or more leaves that all lie at one depth; the last node of a level may be the only short one.

    Source:  boxo `ipld/unixfs/importer/balanced`.
    """
    width = profile.max_file_links
    level: Sequence[Built] = leaves
    while len(level) > width:
        level = [file_node(level[at : at + width], profile, emit) for at in range(0, len(level), width)]
    return file_node(level, profile, emit, metadata)


def trickle(leaves: Sequence[Built], profile: Profile, emit: Emit, metadata: Metadata | None = None) -> Built:
    """The root over any number of leaves, the first of them close to it: made for reading from the start.

    Source:  boxo `ipld/unixfs/importer/trickle`.
    """
    return _Trickle(leaves, profile, emit).fill(None, metadata)


class _Trickle:
    """The leaves that are not placed yet, and the node that takes them."""

    def __init__(self, leaves: Sequence[Built], profile: Profile, emit: Emit) -> None:
        self.leaves, self.profile, self.emit = leaves, profile, emit
        self.position = 0

    def fill(self, depth_limit: int | None, metadata: Metadata | None = None) -> Built:
        """A node with leaves first, then subtrees of depth 1, 2, … below the limit, four of each.

        Recursion is bounded by the logarithm of the number of leaves.
        """
        children = list(self.leaves[self.position : self.position + self.profile.max_file_links])
        self.position += len(children)
        depth = 1
        while self.position < len(self.leaves) and (depth_limit is None or depth < depth_limit):
            for _ in range(TRICKLE_REPEAT):
                if self.position < len(self.leaves):
                    children.append(self.fill(depth))
            depth += 1
        return file_node(children, self.profile, self.emit, metadata)
