from __future__ import annotations

from typing import Any

import pytest

from pinfold.core import multihash
from pinfold.core.errors import InsecureHash, InvalidInput, UnknownHash
from pinfold.unixfs.profile import PROFILES, describe, for_metadata, from_description, profile

V0 = "unixfs-v0-2015"
BLAKE3 = multihash.BLAKE3


def test_the_default_is_the_profile_of_2025() -> None:
    assert profile() == PROFILES["unixfs-v1-2025"]


def test_a_choice_left_at_none_is_the_profiles_own() -> None:
    assert profile(V0, cid_version=None, chunker=None, inline=None) == PROFILES[V0]


@pytest.mark.parametrize(
    ("name", "choices", "version", "raw"),
    [
        (V0, {}, 0, False),
        (V0, {"cid_version": 1}, 1, True),
        (V0, {"cid_version": 1, "raw_leaves": False}, 1, False),
        (V0, {"raw_leaves": True}, 0, True),
        (V0, {"hash_code": BLAKE3}, 1, True),
        (V0, {"hash_code": BLAKE3, "raw_leaves": False}, 1, False),
        ("unixfs-v1-2025", {"cid_version": 0}, 0, True),
        ("unixfs-v1-2025", {"raw_leaves": False}, 1, False),
        ("unixfs-v1-2025", {"hash_code": BLAKE3}, 1, True),
    ],
)
def test_choices_pull_each_other_along(name: str, choices: dict[str, Any], version: int, raw: bool) -> None:
    chosen = profile(name, **choices)
    assert (chosen.cid_version, chosen.raw_leaves) == (version, raw)


@pytest.mark.parametrize(
    "choices",
    [
        {"cid_version": 2},
        {"cid_version": 0, "hash_code": BLAKE3},
        {"hash_code": multihash.IDENTITY},
        {"chunker": "size-0"},
        {"max_file_links": 1},
        {"layout": "flat"},
        {"hamt_threshold": -1},
        {"hamt_estimation": "guess"},
        {"hamt_fanout": 4},
        {"hamt_fanout": 2048},
        {"hamt_fanout": 100},
        {"inline_limit": 129},
        {"inline_limit": -1},
    ],
)
def test_a_choice_that_cannot_be_is_refused(choices: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        profile(**choices)


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="unixfs-v1-2025"):
        profile("unixfs-v2-2099")


def test_a_hash_that_is_unknown_or_weak_is_refused() -> None:
    with pytest.raises(UnknownHash):
        profile(hash_code=0x99999)
    with pytest.raises(InsecureHash):
        profile(hash_code=0xD5)


def test_metadata_gives_up_raw_leaves() -> None:
    assert not for_metadata(profile()).raw_leaves


def test_a_profile_is_described_by_its_name_and_what_differs() -> None:
    assert describe(profile()) == "unixfs-v1-2025"
    chosen = profile(V0, hash_code=BLAKE3, chunker="rabin", inline=True)
    assert describe(chosen) == "unixfs-v0-2015 cid-version=1 raw-leaves=true chunker=rabin hash=blake3 inline=true"


@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"layout": "trickle", "max_file_links": 30, "hamt_threshold": 0},
        {"hash_code": multihash.code_of("blake2b-256"), "inline": True, "inline_limit": 64},
        {"raw_leaves": False, "hamt_estimation": "links", "hamt_fanout": 16},
    ],
)
@pytest.mark.parametrize("name", PROFILES)
def test_a_description_gives_the_profile_back(name: str, choices: dict[str, Any]) -> None:
    chosen = profile(name, **choices)
    assert from_description(describe(chosen)) == chosen


@pytest.mark.parametrize("text", ["nothing", "unixfs-v1-2025 size=3", "unixfs-v1-2025 inline=maybe", V0 + " name=x"])
def test_a_description_nobody_wrote_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        from_description(text)
