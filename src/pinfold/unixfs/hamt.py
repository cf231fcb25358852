"""Sharded folders: a trie over the hashes of the names, one dag-pb node a shard.

Each level takes log2(fanout) bits of a name's murmur3 hash, highest first.  The bits, in upper-case hex, stand before
the name in its link; a link that has only them leads to a shard below.  The bitfield in a shard's data says which bits
are taken; a name goes one level down exactly when another shares its bits.

Source:  specs.ipfs.tech/unixfs, "HAMT"; boxo `ipld/unixfs/hamt`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from pinfold.core.cid import DAG_PB
from pinfold.core.codec.dag_pb import PBLink
from pinfold.core.errors import DagTooDeep
from pinfold.unixfs import message
from pinfold.unixfs.dag import Built, Emit, Entry, Get, encode_data, encode_links, put
from pinfold.unixfs.message import Metadata
from pinfold.unixfs.murmur3 import hash_names, murmur3_64
from pinfold.unixfs.node import Node, load_node, refuse
from pinfold.unixfs.profile import MAX_FANOUT, MIN_FANOUT, Profile

HASH_BITS: Final = 64


def build_shards(entries: Sequence[Entry], profile: Profile, emit: Emit, metadata: Metadata | None = None) -> Built:
    """The root shard of a folder with these entries, whose names differ; metadata goes into the root.

    Raises:  DagTooDeep when two names share all bits that a trie can use.
    """
    hashes = hash_names([entry.name for entry in entries])
    order = sorted(range(len(entries)), key=hashes.__getitem__)
    builder = _Builder([hashes[i] for i in order], [entries[i] for i in order], profile, emit)
    cid, tsize = builder.shard(0, len(entries), 0, metadata)
    return Built(cid, tsize, 0)


class _Builder:
    """Entries sorted by the hash of their names: every shard is then one run of them."""

    def __init__(self, hashes: list[int], entries: list[Entry], profile: Profile, emit: Emit) -> None:
        self.hashes, self.entries, self.profile, self.emit = hashes, entries, profile, emit
        self.bits = profile.hamt_fanout.bit_length() - 1
        self.prefixes = prefixes(profile.hamt_fanout)

    def shard(self, low: int, high: int, depth: int, metadata: Metadata | None = None) -> tuple[bytes, int]:
        """The CID and tsize of the shard over one run; recursion ends with the bits of the hash."""
        shift = HASH_BITS - self.bits * (depth + 1)
        if shift < 0:
            names = [entry.name.decode("utf-8", "backslashreplace") for entry in self.entries[low : low + 2]]
            raise DagTooDeep(
                f"{names[0]!r} and {names[1]!r} cannot be in one sharded folder: their hashes are the same"
            )
        mask = self.profile.hamt_fanout - 1
        hashes, entries = self.hashes, self.entries
        links: list[tuple[bytes, bytes, int]] = []
        bitfield, total, at = 0, 0, low
        while at < high:
            digit = hashes[at] >> shift & mask
            bitfield |= 1 << digit
            beyond = ((hashes[at] >> shift) + 1) << shift
            end = at + 1
            if end < high and hashes[end] < beyond:
                end = bisect_left(hashes, beyond, end, high)
                cid, tsize = self.shard(at, end, depth + 1)
                links.append((self.prefixes[digit], cid, tsize))
            else:
                name, cid, tsize = entries[at]
                links.append((self.prefixes[digit] + name, cid, tsize))
            total += tsize
            at = end
        packed = bitfield.to_bytes((bitfield.bit_length() + 7) // 8, "big")
        body = message.encode_hamt(packed, self.profile.hamt_fanout, metadata)
        block = encode_links(links) + encode_data(body)
        return put(self.profile, DAG_PB, block, self.emit), len(block) + total


@lru_cache(maxsize=8)
def prefixes(fanout: int) -> list[bytes]:
    """What stands before the names, for each value of the bits."""
    width = len(f"{fanout - 1:X}")
    return [f"{digit:0{width}X}".encode() for digit in range(fanout)]


def lookup(cid: bytes, root: Node, name: bytes, get: Get) -> bytes | None:
    """The CID of one name in the sharded folder whose root is given, reading only the shards on the way.

    Raises:  MalformedBlock, NotUnixFS, UnknownCodec, and what ``get`` raises.
    """
    name_hash, used = murmur3_64(name), 0
    shard = _Shard(cid, root)
    while (used := used + shard.bits) <= HASH_BITS:
        digit = name_hash >> (HASH_BITS - used) & (1 << shard.bits) - 1
        link = shard.link(digit)
        if link is None:
            return None
        found = (link.name or b"")[shard.label_bytes :]
        if found:
            return link.cid if found == name else None
        shard = _load(link.cid, get)
    return None


def walk(cid: bytes, root: Node, get: Get) -> Iterator[Entry]:
    """All entries of the sharded folder whose root is given, in the order of their hashes.

    Raises:  MalformedBlock, NotUnixFS, UnknownCodec, DagTooDeep, and what ``get`` raises.
    """
    seen: set[bytes] = set()  # no honest trie has a shard twice: its names would belong to two places
    shards = [_Shard(cid, root)]
    rests = [iter(shards[0].links)]
    while rests:
        shard = shards[-1]
        link = next(rests[-1], None)
        if link is None:
            shards.pop()
            rests.pop()
            continue
        name = (link.name or b"")[shard.label_bytes :]
        if name:
            yield Entry(name, link.cid, link.tsize or 0)
            continue
        if link.cid in seen:
            refuse(link.cid, "is a shard in two places of one folder")
        seen.add(link.cid)
        below = _load(link.cid, get)
        if sum(each.bits for each in shards) + below.bits > HASH_BITS:
            refuse(link.cid, "is a shard deeper than the hashes of its names are long", DagTooDeep)
        shards.append(below)
        rests.append(iter(below.links))


def _load(cid: bytes, get: Get) -> _Shard:
    return _Shard(cid, load_node(cid, get))


class _Shard:
    """One shard that was read: its links, checked against its bitfield.  Raises: MalformedBlock."""

    def __init__(self, cid: bytes, node: Node) -> None:
        body = node.body
        fanout = body.fanout or 0
        if body.kind != message.HAMT:
            refuse(cid, f"is a {message.KIND_NAMES[body.kind]} where a folder must have a shard")
        if not MIN_FANOUT <= fanout <= MAX_FANOUT or fanout & (fanout - 1):
            refuse(cid, f"is a shard with a fanout of {fanout}")
        if body.hash_type != message.HAMT_HASH:
            refuse(cid, f"is a shard whose names are hashed by {body.hash_type}, not by murmur3")
        self.bitfield = int.from_bytes(body.data or b"", "big")
        if self.bitfield.bit_length() > fanout or self.bitfield.bit_count() != len(node.links):
            refuse(cid, "is a shard whose bitfield does not fit its links")
        labels = prefixes(fanout)
        rest = self.bitfield
        for link in node.links:
            digit = (rest & -rest).bit_length() - 1  # the lowest bit that is still set
            rest &= rest - 1
            if not (link.name or b"").startswith(labels[digit]):
                refuse(cid, f"is a shard whose link {link.name!r} is not where its bitfield says")
        self.links = node.links
        self.bits = fanout.bit_length() - 1
        self.label_bytes = len(labels[0])

    def link(self, digit: int) -> PBLink | None:
        """The link at these bits of the hash."""
        if not self.bitfield >> digit & 1:
            return None
        return self.links[(self.bitfield & (1 << digit) - 1).bit_count()]
