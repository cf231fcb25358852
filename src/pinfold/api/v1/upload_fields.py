"""What comes beside the bytes of an upload: as fields of a form, in the query, or as metadata of a resumable upload."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import partial
from typing import Final, TypeVar
from uuid import UUID

from pinfold.core.errors import InvalidInput
from pinfold.core.tier import Tier
from pinfold.db.files import MAX_META_KEYS, MAX_TAGS
from pinfold.services.files import Wish
from pinfold.unixfs.profile import Profile, profile

MAX_TAG: Final = 64
MAX_META_VALUE: Final = 1024
MAX_NAME: Final = 255
MAX_FIELD_BYTES: Final = 64 * 1024
FIELDS: Final = (
    "name",
    "tags",
    "metadata",
    "project_id",
    "tier",
    "replication_factor_min",
    "replication_factor_max",
    "profile",
)

_CHUNK_COUNTS: Final = ("dztotalchunkcount", "qqtotalparts", "resumabletotalchunks", "flowtotalchunks", "chunks")
"""In which upload widgets say, beside a chunk of a file, how many chunks the file has; in lower case."""
_LIKE: Final = 0.82
"""How like one of ours a field is a slip: ``tag``, ``names`` and ``replication_min`` are, ``filename`` is not."""
_SHOWN_IGNORED: Final = 100
_NO_NAMES: Final = ("", ".", "..")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
T = TypeVar("T")


def check_tag(tag: str) -> str:
    """The tag without spaces around it.  Raises: ValueError."""
    tag = tag.strip()
    if not tag or len(tag) > MAX_TAG or "," in tag or _CONTROL.search(tag) or _SURROGATE.search(tag):
        raise ValueError(f"{tag[:MAX_TAG]!r} is no tag: 1 to {MAX_TAG} characters, no comma and no control character")
    return tag


def check_name(name: str) -> str:
    """The name, one that a file system would take too.  Raises: ValueError."""
    too_long = len(name.encode("utf-8", "surrogatepass")) > MAX_NAME
    if too_long or name.strip() in _NO_NAMES or "/" in name or _CONTROL.search(name) or _SURROGATE.search(name):
        raise ValueError(f"a name has 1 to {MAX_NAME} bytes, is not '.' or '..', has no slash and no control character")
    return name


def checked_name(name: str) -> str:
    """``check_name`` for a name that came in a URL.  Raises: InvalidInput."""
    return _told("name", lambda: check_name(name))


def check_meta(meta: dict[str, str]) -> dict[str, str]:
    """The metadata, in which every text can be stored.  Raises: ValueError."""
    for key, value in meta.items():
        if not key or "\0" in key + value or _SURROGATE.search(key + value):
            raise ValueError("a key or value of metadata is empty or cannot be stored")
        if len(key) > MAX_META_VALUE or len(value) > MAX_META_VALUE:
            raise ValueError(f"a key or value of metadata is longer than {MAX_META_VALUE} characters")
    if len(meta) > MAX_META_KEYS:
        raise ValueError(f"metadata has {len(meta)} entries; {MAX_META_KEYS} are taken")
    return meta


class Fields:
    """Collects fields, each checked when it comes, and makes a wish of them."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._tags: list[str] = []
        self._ignored: dict[str, None] = {}

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Fields:
        """The fields of a query; names that are not ours are refused.  Raises: InvalidInput."""
        fields = cls()
        for name, text in pairs:
            fields.add(name, text)
        return fields

    @property
    def ignored(self) -> tuple[str, ...]:
        """Names of the fields that meant nothing, each once, 100 at most."""
        return tuple(self._ignored)

    def ignores(self, name: str, value: bytes) -> bool:
        """Whether a field of a form means nothing here, as what upload widgets send beside a file.

        Raises:  InvalidInput for one that is nearly one of ours, or says that the file is a chunk of a larger one.
        """
        bare = name.removesuffix("[]")
        if bare in FIELDS:
            return False
        if name.lower() in _CHUNK_COUNTS and value.strip() not in (b"", b"0", b"1"):
            raise InvalidInput(
                f"{name} says that the form has one of several chunks of a file; nothing was stored",
                hint="Turn chunking off in the upload widget, or send large files by /api/v1/files/tus.",
            )
        if (meant := _meant(bare)) is not None:
            raise InvalidInput(f"there is no field {name[:40]!r}; did you mean {meant!r}?")
        if len(self._ignored) < _SHOWN_IGNORED:
            self._ignored[name[:100]] = None
        return True

    def add(self, name: str, text: str) -> None:
        """One more field.  Raises: InvalidInput for one that is not known, comes twice, or cannot be read."""
        name = name.removesuffix("[]")
        if name not in FIELDS:
            raise InvalidInput(f"there is no field {name[:40]!r}; known: file, {', '.join(FIELDS)}")
        if name == "tags":
            self._tags += _tags(text)
            if len(self._tags) > MAX_TAGS:
                raise InvalidInput(f"tags: a file takes {MAX_TAGS}")
            return
        if name in self._texts:
            raise InvalidInput(f"{name} comes twice")
        self._texts[name] = text
        _told(name, lambda: self._check(name, text))

    def _check(self, name: str, text: str) -> None:
        if name == "name":
            check_name(text)
        elif name == "profile":
            profile(text)
        else:
            self.wish()

    def __contains__(self, name: str) -> bool:
        return name in self._texts

    def profile(self) -> Profile | None:
        """The profile that was chosen, if any."""
        return profile(self._texts["profile"]) if self._texts.get("profile") else None

    def wish(self) -> Wish:
        """All of them together.  Raises: InvalidInput."""
        texts = self._texts
        return Wish(
            name=texts.get("name", ""),
            tags=tuple(dict.fromkeys(self._tags)),
            meta=_told("metadata", lambda: _meta(texts["metadata"])) if texts.get("metadata") else {},
            project_id=_project(texts["project_id"]) if texts.get("project_id") else None,
            tier=_tier(texts["tier"]) if texts.get("tier") else None,
            replication_factor_min=_factor(texts, "replication_factor_min"),
            replication_factor_max=_factor(texts, "replication_factor_max"),
        )


def _meant(name: str) -> str | None:
    """The field of ours that a name is a slip of, if any."""
    letters = {re.sub("[^a-z]", "", field): field for field in FIELDS}
    given = re.sub("[^a-z0-9]", "", name[:100].lower())
    begun = [ours for ours in letters if len(given) >= 4 and ours.startswith(given)]
    close = begun or get_close_matches(given, letters, n=1, cutoff=_LIKE)
    return letters[close[0]] if close else None


def _told(name: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except ValueError as exc:
        raise InvalidInput(f"{name}: {exc}") from None


def _tags(text: str) -> list[str]:
    if text.lstrip().startswith("["):
        try:
            given = json.loads(text)
        except (ValueError, RecursionError):
            given = None
        if not isinstance(given, list) or not all(isinstance(tag, str) for tag in given):
            raise InvalidInput('tags: write one, several with commas, or a JSON list such as ["a", "b"]')
    else:
        given = [tag for tag in text.split(",") if tag.strip()]
    return [_told("tags", partial(check_tag, tag)) for tag in given]


def _meta(text: str) -> dict[str, str]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise ValueError('write a JSON object of strings, such as {"camera": "X100"}')
    return check_meta(given)


def _project(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise InvalidInput(
            f"project_id: {text[:40]!r} is no id of a project", hint="GET /projects lists them."
        ) from None


def _tier(text: str) -> Tier:
    try:
        return Tier(text)
    except ValueError:
        raise InvalidInput(f"tier: {text[:40]!r} is none of {', '.join(Tier)}") from None


def _factor(texts: dict[str, str], name: str) -> int | None:
    text = texts.get(name, "")
    if not text:
        return None
    if not re.fullmatch("[0-9]{1,3}", text) or int(text) < 1:
        raise InvalidInput(f"{name}: write a number of copies from 1 to 999")
    return int(text)
