"""Multihashes: what can be computed, what is trusted."""

from __future__ import annotations

import hashlib

import pytest

from pinfold.core import multihash
from pinfold.core.errors import IdentityTooLarge, InsecureHash, InvalidCID, InvalidVarint, UnknownHash


@pytest.mark.parametrize("name", [name for name in multihash.NAMES if name != "identity"])
def test_every_known_hash_function_gives_a_digest_that_matches(name: str) -> None:
    digest = multihash.hasher(multihash.code_of(name))(b"data")
    code, _ = multihash.split(digest)
    assert multihash.name_of(code) == name
    multihash.check_secure(digest)
    assert multihash.matches(digest, b"data")
    assert multihash.matches(digest, memoryview(b"data"))
    assert not multihash.matches(digest, b"date")


def test_known_digests() -> None:
    known = {
        "sha2-256": "1220" + hashlib.sha256(b"").hexdigest(),
        "sha2-512": "1340" + hashlib.sha512(b"").hexdigest(),
        "sha3-256": "1620" + hashlib.sha3_256(b"").hexdigest(),
        "blake2b-256": "a0e40220" + hashlib.blake2b(b"", digest_size=32).hexdigest(),
        "blake3": "1e20af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        "identity": "0000",
    }
    for name, text in known.items():
        assert multihash.hasher(multihash.code_of(name))(b"").hex() == text


def test_a_truncated_digest_counts_from_twenty_bytes_on() -> None:
    whole = hashlib.sha512(b"data").digest()
    assert multihash.matches(multihash.wrap(0x13, whole[:20]), b"data")
    assert not multihash.matches(multihash.wrap(0x13, whole[1:21]), b"data")
    with pytest.raises(InsecureHash, match="19 bytes"):
        multihash.matches(multihash.wrap(0x13, whole[:19]), b"data")


@pytest.mark.parametrize("name", ["shake-128", "md5", "murmur3-x64-64"])
def test_weak_functions_are_refused_everywhere(name: str) -> None:
    with pytest.raises(InsecureHash, match=name):
        multihash.code_of(name)
    code = {"shake-128": 0x18, "md5": 0xD5, "murmur3-x64-64": 0x22}[name]
    with pytest.raises(InsecureHash, match=name):
        multihash.hasher(code)
    with pytest.raises(InsecureHash, match=name):
        multihash.check_secure(multihash.wrap(code, bytes(32)))


def test_identity_holds_128_bytes_and_no_more() -> None:
    digest = multihash.hasher(multihash.IDENTITY)(bytes(128))
    multihash.check_secure(digest)
    assert multihash.matches(digest, bytes(128))
    assert not multihash.matches(digest, bytes(127))
    with pytest.raises(IdentityTooLarge):
        multihash.hasher(multihash.IDENTITY)(bytes(129))
    with pytest.raises(IdentityTooLarge):
        multihash.check_secure(multihash.wrap(0, bytes(129)))


def test_unknown_functions_are_refused() -> None:
    with pytest.raises(UnknownHash):
        multihash.code_of("sha9")
    with pytest.raises(UnknownHash):
        multihash.hasher(0x3FFF)
    with pytest.raises(UnknownHash):
        multihash.check_secure(multihash.wrap(0x3FFF, bytes(32)))
    assert multihash.name_of(0x3FFF) == "0x3fff"


def test_a_digest_longer_than_its_function_gives_is_refused() -> None:
    with pytest.raises(InvalidCID):
        multihash.check_secure(multihash.wrap(multihash.SHA2_256, bytes(33)))
    with pytest.raises(InvalidCID):
        multihash.check_secure(multihash.wrap(multihash.SHA2_256, bytes(129)))


@pytest.mark.parametrize("text", ["", "12", "1220", "1220" + "00" * 31, "1220" + "00" * 33, "8000", "1281"])
def test_a_multihash_that_is_not_whole_is_refused(text: str) -> None:
    with pytest.raises((InvalidCID, InvalidVarint)):
        multihash.split(bytes.fromhex(text))
