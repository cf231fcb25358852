"""Blocks in a dict, trees from nested dicts, and deterministic bytes: what tests of files and folders build with."""

from __future__ import annotations

import hashlib
import io
import os
import random
from collections.abc import Mapping
from typing import TypeAlias

from pinfold.core import multihash
from pinfold.core.cid import CID
from pinfold.core.errors import BlockNotFound
from pinfold.unixfs.build import Built, build_file
from pinfold.unixfs.chunker import chunks
from pinfold.unixfs.directory import Entry, build_directory, build_symlink
from pinfold.unixfs.message import Metadata
from pinfold.unixfs.profile import Profile
from pinfold.unixfs.read import slices


class Link(bytes):
    """In a tree: the target of a symbolic link."""


Tree: TypeAlias = "Mapping[str, bytes | Link | Tree]"


class Blocks:
    """A store in memory, by binary CID; ``emit`` holds builders to their word, ``read`` is what was asked for."""

    def __init__(self) -> None:
        self.stored: dict[bytes, bytes] = {}
        self.read: list[bytes] = []

    def emit(self, cid: bytes, block: bytes) -> None:
        """Take a block, which must be bytes that its CID names and does not carry."""
        assert type(block) is bytes
        parsed = CID.from_bytes(cid)
        assert not parsed.is_identity
        assert multihash.matches(parsed.multihash, block)
        self.stored[cid] = block

    def get(self, cid: bytes) -> bytes:
        """The block of a CID.  Raises: BlockNotFound."""
        self.read.append(cid)
        try:
            return self.stored[cid]
        except KeyError:
            raise BlockNotFound(f"{CID.from_bytes(cid)} is not here") from None


def add_bytes(content: bytes, profile: Profile, blocks: Blocks, metadata: Metadata | None = None) -> Built:
    """The file of ``content``, cut as the profile says."""
    return build_file(chunks(io.BytesIO(content).read, profile.chunker), profile, blocks.emit, metadata)


def add_tree(tree: Tree, profile: Profile, blocks: Blocks) -> Built:
    """The folder that nested dicts describe."""
    entries = []
    for name, value in tree.items():
        if isinstance(value, Link):
            built = build_symlink(bytes(value), profile, blocks.emit)
        elif isinstance(value, bytes):
            built = add_bytes(value, profile, blocks)
        else:
            built = add_tree(value, profile, blocks)
        entries.append(Entry(os.fsencode(name), built.cid, built.tsize))
    return build_directory(entries, profile, blocks.emit)


def read_bytes(cid: bytes, blocks: Blocks, start: int = 0, stop: int | None = None) -> bytes:
    """A range of a file, put together from its slices."""
    parts = []
    for block_cid, offset, length, data in slices(cid, blocks.get, start, stop):
        if data is None:
            assert block_cid is not None
            data = blocks.get(block_cid)[offset : offset + length]
        assert len(data) == length > 0
        parts.append(data)
    return b"".join(parts)


def text(built: Built) -> str:
    """The CID as people write it."""
    return str(CID.from_bytes(built.cid))


def chacha20(seed: str, count: int) -> bytes:
    """``count`` bytes of the ChaCha20 keystream (zero nonce, counter 0) whose key is the SHA-256 of the seed.

    Source:  Kubo `test/cli`, DeterministicRandomReader.
    """
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    key = hashlib.sha256(seed.encode()).digest()
    return Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(count))


NAME_ALPHABET = "abcdefghijklmnopqrstuvwxyz01234567890-_"  # '0' stands twice in the recipe: 39 characters


def random_names(seed: str, count: int, length: int, last_length: int | None = None) -> list[str]:
    """Names from one ChaCha20 stream, the last of them perhaps of another length.  Source: as ``chacha20``."""
    last = length if last_length is None else last_length
    stream = chacha20(seed, (count - 1) * length + last)
    names = [stream[at * length : (at + 1) * length] for at in range(count - 1)] + [stream[(count - 1) * length :]]
    return ["".join(NAME_ALPHABET[byte % len(NAME_ALPHABET)] for byte in name) for name in names]


def noise(seed: int, count: int) -> bytes:
    """``count`` bytes that look random and are the same in every run."""
    return random.Random(seed).randbytes(count)
