"""Short names of organisations, as they stand in addresses."""

from __future__ import annotations

import re
import secrets
import unicodedata
from typing import Final

from sqlalchemy.orm import Session

from pinfold.core.errors import InvalidInput, RecordConflict
from pinfold.db import organisations

_SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


def checked_slug(session: Session, slug: str) -> str:
    """The slug, which nobody has yet.  Raises: InvalidInput, RecordConflict."""
    if not _SLUG.fullmatch(slug):
        raise InvalidInput("a slug has 1 to 64 lower-case letters, digits and hyphens, and no hyphen at an end")
    if organisations.by_slug(session, slug) is not None:
        raise RecordConflict(f"there is an organisation {slug!r} already")
    return slug


def free_slug(session: Session, name: str) -> str:
    """A slug made from a name, with something random behind it where that is taken."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].strip("-") or "organisation"
    if organisations.by_slug(session, slug) is None:
        return slug
    return f"{slug}-{secrets.token_hex(4)}"
