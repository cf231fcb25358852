"""Import profiles: every choice that decides which CID a file or folder gets."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Final, Literal

from pinfold.core import multihash
from pinfold.core.errors import InvalidInput
from pinfold.unixfs import chunker as chunking

DEFAULT_PROFILE: Final = "unixfs-v1-2025"
MIN_FANOUT: Final = 8  # the bitfield is counted in bytes
MAX_FANOUT: Final = 1024  # what boxo reads

Layout = Literal["balanced", "trickle"]
Estimation = Literal["links", "block"]


@dataclass(frozen=True, slots=True)
class Profile:
    """All parameters of an import; two equal profiles give equal CIDs for equal content.

    Units:   ``hamt_threshold`` and ``inline_limit`` in bytes; a threshold of 0 means that no folder is sharded.
    Source:  IPIP-499.
    """

    name: str
    cid_version: int
    raw_leaves: bool
    chunker: str
    max_file_links: int
    layout: Layout = "balanced"
    hamt_threshold: int = 256 * 1024
    hamt_estimation: Estimation = "block"
    hamt_fanout: int = 256
    hash_code: int = multihash.SHA2_256
    inline: bool = False
    inline_limit: int = 32


PROFILES: Final[dict[str, Profile]] = {
    "unixfs-v1-2025": Profile(
        name="unixfs-v1-2025",
        cid_version=1,
        raw_leaves=True,
        chunker="size-1048576",
        max_file_links=1024,
    ),
    "unixfs-v0-2015": Profile(
        name="unixfs-v0-2015",
        cid_version=0,
        raw_leaves=False,
        chunker="size-262144",
        max_file_links=174,
        hamt_estimation="links",
    ),
}


def profile(
    name: str = DEFAULT_PROFILE,
    *,
    cid_version: int | None = None,
    raw_leaves: bool | None = None,
    chunker: str | None = None,
    max_file_links: int | None = None,
    layout: Layout | None = None,
    hamt_threshold: int | None = None,
    hamt_estimation: Estimation | None = None,
    hamt_fanout: int | None = None,
    hash_code: int | None = None,
    inline: bool | None = None,
    inline_limit: int | None = None,
) -> Profile:
    """The named profile with single choices replaced; ``None`` leaves a choice as the profile has it.

    Choices pull each other along as Kubo's do: a hash other than sha2-256 implies CIDv1, and going from CIDv0 to CIDv1
    implies raw leaves, unless it was said otherwise.

    Raises:  InvalidInput for an unknown name or a choice that cannot be; UnknownHash, InsecureHash.
    """
    if name not in PROFILES:
        raise InvalidInput(f"unknown profile {name!r}; known: {', '.join(PROFILES)}")
    base = PROFILES[name]
    code = base.hash_code if hash_code is None else hash_code
    version = cid_version
    if version is None:
        version = base.cid_version if code == multihash.SHA2_256 else 1
    if raw_leaves is None:
        raw_leaves = True if version > base.cid_version else base.raw_leaves
    given = {
        "chunker": chunker,
        "max_file_links": max_file_links,
        "layout": layout,
        "hamt_threshold": hamt_threshold,
        "hamt_estimation": hamt_estimation,
        "hamt_fanout": hamt_fanout,
        "inline": inline,
        "inline_limit": inline_limit,
    }
    chosen = replace(
        base,
        cid_version=version,
        raw_leaves=raw_leaves,
        hash_code=code,
        **{key: value for key, value in given.items() if value is not None},  # type: ignore[arg-type] # checked below
    )
    _validate(chosen)
    return chosen


def for_metadata(chosen: Profile) -> Profile:
    """The profile for an import that keeps mode or mtime: as Kubo's, without raw leaves, for raw roots carry none."""
    return replace(chosen, raw_leaves=False)


def describe(chosen: Profile) -> str:
    """One line that says the whole profile: its name and what differs from it.  ``from_description`` reads it."""
    base = PROFILES[chosen.name]
    words = [chosen.name]
    for field in fields(Profile):
        value = getattr(chosen, field.name)
        if value != getattr(base, field.name):
            word = multihash.name_of(value) if field.name == "hash_code" else str(value).lower()
            words.append(f"{_spelled(field.name)}={word}")
    return " ".join(words)


def from_description(text: str) -> Profile:
    """The profile that ``describe`` wrote down.  Raises: InvalidInput, UnknownHash."""
    name, *words = text.split()
    if name not in PROFILES:
        raise InvalidInput(f"unknown profile {name!r}; known: {', '.join(PROFILES)}")
    base = PROFILES[name]
    values: dict[str, object] = {}
    by_word = {_spelled(field.name): field.name for field in fields(Profile)}
    for word in words:
        key, _, value = word.partition("=")
        field_name = by_word.get(key, "")
        if field_name == "hash_code":
            values[field_name] = multihash.code_of(value)
        elif isinstance(getattr(base, field_name, None), bool) and value in ("true", "false"):
            values[field_name] = value == "true"
        elif isinstance(getattr(base, field_name, None), int) and re.fullmatch("[0-9]+", value):
            values[field_name] = int(value)
        elif isinstance(getattr(base, field_name, None), str):
            values[field_name] = value
        else:
            raise InvalidInput(f"{word!r} is no choice of a profile")
    chosen = replace(base, **values)  # type: ignore[arg-type] # checked below
    _validate(chosen)
    return chosen


def _spelled(field_name: str) -> str:
    return "hash" if field_name == "hash_code" else field_name.replace("_", "-")


def _validate(chosen: Profile) -> None:
    if chosen.name not in PROFILES:
        raise InvalidInput(f"unknown profile {chosen.name!r}")
    if chosen.cid_version not in (0, 1):
        raise InvalidInput(f"there is no CID version {chosen.cid_version}")
    if chosen.cid_version == 0 and chosen.hash_code != multihash.SHA2_256:
        raise InvalidInput(f"CIDv0 knows only sha2-256, not {multihash.name_of(chosen.hash_code)}")
    if chosen.hash_code == multihash.IDENTITY:
        raise InvalidInput("identity is no hash to add by; --inline puts small blocks into their CIDs")
    multihash.hasher(chosen.hash_code)
    chunking.parse(chosen.chunker)
    if chosen.max_file_links < 2:
        raise InvalidInput(f"a file node needs room for at least 2 links, not {chosen.max_file_links}")
    if chosen.layout not in ("balanced", "trickle"):
        raise InvalidInput(f"unknown layout {chosen.layout!r}; known: balanced, trickle")
    if chosen.hamt_threshold < 0:
        raise InvalidInput(f"a folder cannot be sharded above {chosen.hamt_threshold} bytes")
    if chosen.hamt_estimation not in ("links", "block"):
        raise InvalidInput(f"unknown estimation {chosen.hamt_estimation!r}; known: links, block")
    fanout = chosen.hamt_fanout
    if not MIN_FANOUT <= fanout <= MAX_FANOUT or fanout & (fanout - 1):
        raise InvalidInput(f"a HAMT fanout is a power of two from {MIN_FANOUT} to {MAX_FANOUT}, not {fanout}")
    if not 0 <= chosen.inline_limit <= multihash.MAX_IDENTITY_BYTES:
        raise InvalidInput(
            f"an inline limit of {chosen.inline_limit} is not within 0 to {multihash.MAX_IDENTITY_BYTES} bytes"
        )
