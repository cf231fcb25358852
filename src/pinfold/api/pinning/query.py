"""What a list of the Pinning Service API is asked for, read as its specification says."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, quote_plus

from pinfold.api import texts
from pinfold.core.cid import CID
from pinfold.core.errors import InvalidInput
from pinfold.db.pin_lists import Match, PinFilter
from pinfold.services.pins import RequestStatus
from pinfold.services.pins.model import root_of

MAX_CIDS: Final = 10
META: Final = "meta"
_META_KEY: Final = re.compile(r"meta\[(.*)\]", re.DOTALL)
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)


def pin_filter(
    cid: Sequence[str] | None,
    name: str | None,
    match: Match,
    status: Sequence[str] | None,
    before: str | None,
    after: str | None,
    meta: str | None,
) -> PinFilter:
    """The requests that are asked for; only pinned ones where no status is named.  Raises: InvalidInput."""
    return PinFilter(
        roots=_cids(cid),
        name=name,
        match=match,
        statuses=_statuses(status),
        meta=_meta(meta),
        before=None if before is None else parse_time("before", before),
        after=None if after is None else parse_time("after", after),
    )


def _parts(given: Sequence[str]) -> list[str]:
    """What stands between commas; some clients repeat the parameter instead, which means the same."""
    return [part for text in given for part in text.split(",")]


def _cids(given: Sequence[str] | None) -> list[str]:
    if given is None:
        return []
    parts = list(dict.fromkeys(_parts(given)))
    if len(parts) > MAX_CIDS:
        raise InvalidInput(f"cid names {len(parts)} CIDs; {MAX_CIDS} are the most")
    return [root_of(CID.parse(part)) for part in parts]


def _statuses(given: Sequence[str] | None) -> frozenset[str]:
    if given is None:
        return frozenset({RequestStatus.PINNED})
    known = {str(status) for status in RequestStatus}
    parts = frozenset(_parts(given))
    for part in sorted(parts - known):
        raise InvalidInput(f"status {part[:40]!r} is not known; there are {', '.join(sorted(known))}")
    return parts


def with_meta_as_json(text: str) -> str:
    """A query in which ``meta[app]=blog``, as pinning-service-client sends it, is ``meta={"app": "blog"}``.

    Raises:  InvalidInput for a key that comes twice, or beside the other form.
    """
    meta: dict[str, str] = {}
    others: list[str] = []
    for part in text.split("&"):
        pairs = parse_qsl(part, True)
        key = _META_KEY.fullmatch(pairs[0][0]) if pairs else None
        if key is None:
            others.append(part)
        elif key[1] in meta:
            raise InvalidInput(f"meta has the key {key[1][:40]!r} twice")
        else:
            meta[key[1]] = pairs[0][1]
    if not meta:
        return text
    return "&".join([*others, f"{META}={quote_plus(json.dumps(meta))}"])


def _meta(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    try:
        meta = json.loads(text)
        texts.check_value(meta)
    except (ValueError, RecursionError) as exc:
        raise InvalidInput("meta is no JSON, or holds what is no text") from exc
    if not isinstance(meta, dict) or not all(isinstance(value, str) for value in meta.values()):
        raise InvalidInput('meta is no JSON object of strings, such as {"app_id": "blog"}')
    return meta


def parse_time(name: str, text: str) -> datetime:
    """A time as RFC 3339 writes it; digits beyond microseconds are left out.  Raises: InvalidInput."""
    found = _TIME.fullmatch(text.replace(" ", "+"))  # a plus sign that was not escaped arrives as a space
    if found is not None:
        day, time, fraction, zone = found.groups()
        try:
            return datetime.fromisoformat(f"{day}T{time}.{(fraction or '0')[:6]:0<6}{zone.upper()}").astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise InvalidInput(f"{name} is no time such as 2026-01-31T12:00:00.123Z")
