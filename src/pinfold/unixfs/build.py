"""Files: chunks in, blocks out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pinfold.core import varint
from pinfold.core.cid import DAG_PB, RAW
from pinfold.core.multihash import Buffer
from pinfold.unixfs import layout, message
from pinfold.unixfs.dag import Built, Emit, is_identity, namer
from pinfold.unixfs.message import Metadata
from pinfold.unixfs.profile import Profile

__all__ = ["Built", "Emit", "Metadata", "build_file", "layout_file", "leaf", "leaf_frame"]


def leaf(
    profile: Profile, chunk: Buffer, *, sole: bool = False, metadata: Metadata | None = None
) -> tuple[Built, bytes]:
    """The leaf of a chunk and its block; nothing is emitted (and what ``is_identity`` names must not be).

    ``sole`` says that the chunk is the whole file.  Then, in a balanced layout with dag-pb leaves, the leaf is the root
    and carries ``metadata`` itself; in every other case ``layout_file`` puts it into a node above.
    """
    if profile.raw_leaves:
        block = bytes(chunk)
        return Built(namer(profile, RAW)(block), len(block), len(block)), block
    before, behind = leaf_frame(profile, len(chunk), metadata if sole else None)
    block = b"".join((before, chunk, behind))
    return Built(namer(profile, DAG_PB)(block), len(block), len(chunk)), block


def leaf_frame(profile: Profile, chunk_bytes: int, metadata: Metadata | None = None) -> tuple[bytes, bytes]:
    """What stands before and behind a chunk in the block of its leaf, so that it can be hashed without a copy.

    ``metadata`` is for a sole leaf and taken only where that leaf is the root, see ``leaf``.
    """
    if profile.raw_leaves:
        return b"", b""
    if profile.layout == "trickle":
        before, behind = message.leaf_frame(message.RAW, chunk_bytes)
    else:
        before, behind = message.leaf_frame(message.FILE, chunk_bytes, metadata)
    return b"\x0a" + varint.encode(len(before) + chunk_bytes + len(behind)) + before, behind


def layout_file(leaves: Sequence[Built], profile: Profile, emit: Emit, metadata: Metadata | None = None) -> Built:
    """The root over leaves that were emitted elsewhere; emits what stands above them.

    A sole leaf of a balanced layout is its own root.  Where it is raw and there is metadata, a file node goes on top to
    carry it; where it is dag-pb, ``leaf(…, sole=True, metadata=…)`` has put the metadata into it.

    Raises:  BlockTooLarge when ``max_file_links`` makes nodes that no peer would take.
    """
    if not leaves:
        return _empty_file(profile, emit, metadata)
    if profile.layout == "trickle":
        return layout.trickle(leaves, profile, emit, metadata)
    if len(leaves) == 1 and (not profile.raw_leaves or _is_void(metadata)):
        return leaves[0]
    return layout.balanced(leaves, profile, emit, metadata)


def build_file(chunks: Iterable[Buffer], profile: Profile, emit: Emit, metadata: Metadata | None = None) -> Built:
    """The file of the chunks, in one go; blocks are emitted as they are made, the root last.

    Shape:   holds two chunks at a time, and a few hundred bytes per leaf.
    Raises:  BlockTooLarge, and what ``chunks`` and ``emit`` raise.
    """
    leaves: list[Built] = []
    waiting: Buffer | None = None  # a chunk is the sole one only when the next is known to be missing
    for chunk in chunks:
        if not len(chunk):
            continue
        if waiting is not None:
            leaves.append(_emit_leaf(leaf(profile, waiting), emit))
        waiting = chunk
    if waiting is not None:
        leaves.append(_emit_leaf(leaf(profile, waiting, sole=not leaves, metadata=metadata), emit))
    return layout_file(leaves, profile, emit, metadata)


def _emit_leaf(made: tuple[Built, bytes], emit: Emit) -> Built:
    built, block = made
    if not is_identity(built.cid):
        emit(built.cid, block)
    return built


def _empty_file(profile: Profile, emit: Emit, metadata: Metadata | None) -> Built:
    """An empty raw block, or a file node that says 0 bytes; with trickle, or metadata to carry, always the latter."""
    if profile.raw_leaves and profile.layout == "balanced" and _is_void(metadata):
        return _emit_leaf(leaf(profile, b""), emit)
    return layout.file_node((), profile, emit, metadata)


def _is_void(metadata: Metadata | None) -> bool:
    return not message.encode_metadata(metadata)
