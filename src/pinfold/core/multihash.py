"""Multihashes: which hash functions are known, how to compute one, and which are too weak to trust."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Final, TypeAlias

from pinfold.core import varint
from pinfold.core.errors import IdentityTooLarge, InsecureHash, InvalidCID, UnknownHash

Buffer: TypeAlias = bytes | bytearray | memoryview
Digest: TypeAlias = Callable[[Buffer], bytes]

IDENTITY: Final = 0x00
SHA2_256: Final = 0x12
BLAKE3: Final = 0x1E

MIN_DIGEST_BYTES: Final = 20  # shorter ones can be collided; boxo's `verifcid` draws the same line
MAX_DIGEST_BYTES: Final = 128
MAX_IDENTITY_BYTES: Final = 128  # IPIP-512
SHA2_256_PREFIX: Final = b"\x12\x20"


def _blake3(data: Buffer) -> bytes:
    from blake3 import blake3  # a compiled module that most runs never need

    return blake3(data).digest()


def _hashlib(name: str) -> Digest:
    return lambda data: hashlib.new(name, data).digest()


def _blake2b(size: int) -> Digest:
    return lambda data: hashlib.blake2b(data, digest_size=size).digest()


def _blake2s(size: int) -> Digest:
    return lambda data: hashlib.blake2s(data, digest_size=size).digest()


def _dbl_sha2_256(data: Buffer) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


# code: (name, digest length, function). Names and codes are the multicodec table's.
_TABLE: Final[dict[int, tuple[str, int, Digest]]] = {
    0x11: ("sha1", 20, _hashlib("sha1")),
    0x12: ("sha2-256", 32, lambda data: hashlib.sha256(data).digest()),
    0x13: ("sha2-512", 64, lambda data: hashlib.sha512(data).digest()),
    0x14: ("sha3-512", 64, lambda data: hashlib.sha3_512(data).digest()),
    0x15: ("sha3-384", 48, lambda data: hashlib.sha3_384(data).digest()),
    0x16: ("sha3-256", 32, lambda data: hashlib.sha3_256(data).digest()),
    0x17: ("sha3-224", 28, lambda data: hashlib.sha3_224(data).digest()),
    0x19: ("shake-256", 64, lambda data: hashlib.shake_256(data).digest(64)),
    0x1E: ("blake3", 32, _blake3),
    0x20: ("sha2-384", 48, lambda data: hashlib.sha384(data).digest()),
    0x56: ("dbl-sha2-256", 32, _dbl_sha2_256),
    0x1013: ("sha2-224", 28, lambda data: hashlib.sha224(data).digest()),
    **{0xB200 + size: (f"blake2b-{size * 8}", size, _blake2b(size)) for size in range(20, 65)},
    **{0xB240 + size: (f"blake2s-{size * 8}", size, _blake2s(size)) for size in range(20, 33)},
}
_INSECURE: Final = {0x18: "shake-128", 0xD5: "md5", 0xD4: "md4", 0x22: "murmur3-x64-64", 0x23: "murmur3-32"}
NAMES: Final[dict[str, int]] = {"identity": IDENTITY} | {row[0]: code for code, row in _TABLE.items()}


def name_of(code: int) -> str:
    """The multicodec name of a hash function, or its number where it has none here."""
    if code == IDENTITY:
        return "identity"
    if code in _TABLE:
        return _TABLE[code][0]
    return _INSECURE.get(code, hex(code))


def code_of(name: str) -> int:
    """The code of a hash function by its multicodec name.  Raises: InsecureHash, UnknownHash."""
    if name in _INSECURE.values():
        raise InsecureHash(f"{name} is too weak to name content by")
    try:
        return NAMES[name]
    except KeyError:
        raise UnknownHash(f"unknown hash function {name!r}") from None


def wrap(code: int, digest: bytes) -> bytes:
    """The multihash of a digest that was made elsewhere."""
    return varint.encode(code) + varint.encode(len(digest)) + digest


@lru_cache(maxsize=64)
def hasher(code: int) -> Callable[[Buffer], bytes]:
    """A function from bytes to their whole multihash.  Raises: InsecureHash, UnknownHash.

    Identity gives the bytes themselves, up to 128 of them.
    """
    if code == SHA2_256:
        return lambda data: SHA2_256_PREFIX + hashlib.sha256(data).digest()
    if code == IDENTITY:
        return _identity
    if code in _INSECURE:
        raise InsecureHash(f"{_INSECURE[code]} is too weak to name content by")
    if code not in _TABLE:
        raise UnknownHash(f"unknown hash function {code:#x}")
    _, size, function = _TABLE[code]
    return partial(_prefixed, varint.encode(code) + varint.encode(size), function)


def _prefixed(prefix: bytes, function: Digest, data: Buffer) -> bytes:
    return prefix + function(data)


def _identity(data: Buffer) -> bytes:
    if len(data) > MAX_IDENTITY_BYTES:
        raise IdentityTooLarge(f"{len(data)} bytes are too many for an identity CID ({MAX_IDENTITY_BYTES})")
    return wrap(IDENTITY, bytes(data))


def split(multihash: bytes) -> tuple[int, bytes]:
    """The code and the digest of one whole multihash.  Raises: InvalidCID, InvalidVarint."""
    if len(multihash) == 34 and multihash.startswith(SHA2_256_PREFIX):
        return SHA2_256, multihash[2:]
    code, position = varint.decode(multihash)
    size, position = varint.decode(multihash, position)
    if len(multihash) - position != size:
        raise InvalidCID(f"a digest of {size} bytes was announced and {len(multihash) - position} are there")
    return code, multihash[position:]


def check_secure(multihash: bytes) -> None:
    """Refuse a multihash that does not protect content.

    Raises:  InsecureHash, IdentityTooLarge, UnknownHash, InvalidCID, InvalidVarint.
    Source:  boxo `verifcid`; IPIP-512 for identity.
    """
    if len(multihash) == 34 and multihash.startswith(SHA2_256_PREFIX):
        return
    code, digest = split(multihash)
    if code == IDENTITY:
        if len(digest) > MAX_IDENTITY_BYTES:
            raise IdentityTooLarge(f"an identity CID of {len(digest)} bytes is over the limit of {MAX_IDENTITY_BYTES}")
        return
    if code in _INSECURE:
        raise InsecureHash(f"{_INSECURE[code]} is too weak to name content by")
    if len(digest) < MIN_DIGEST_BYTES:
        raise InsecureHash(
            f"a {name_of(code)} digest of {len(digest)} bytes is too short to trust (at least {MIN_DIGEST_BYTES})"
        )
    if len(digest) > MAX_DIGEST_BYTES:
        raise InvalidCID(f"a digest of {len(digest)} bytes is longer than any ({MAX_DIGEST_BYTES})")
    if code not in _TABLE:
        raise UnknownHash(f"unknown hash function {code:#x}")
    if len(digest) > _TABLE[code][1]:
        raise InvalidCID(f"{name_of(code)} gives {_TABLE[code][1]} bytes, not {len(digest)}")


def matches(multihash: bytes, data: Buffer) -> bool:
    """Whether ``data`` hashes to ``multihash`` (a truncated digest of at least 20 bytes counts).

    Raises:  InsecureHash, IdentityTooLarge, UnknownHash, InvalidCID.
    """
    if len(multihash) == 34 and multihash.startswith(SHA2_256_PREFIX):
        return hashlib.sha256(data).digest() == multihash[2:]
    check_secure(multihash)
    code, digest = split(multihash)
    if code == IDENTITY:
        return digest == data
    return _TABLE[code][2](data)[: len(digest)] == digest
