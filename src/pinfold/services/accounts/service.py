"""Tokens: made once, shown once, known by their hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime

from sqlalchemy.orm import Session

from pinfold.core.errors import Unauthorised
from pinfold.db import Database, organisations, tokens
from pinfold.services.accounts.model import TOKEN_PREFIX, Caller, Scope
from pinfold.services.clock import Clock, utc_now

_MAX_TOKEN_CHARACTERS = 256  # longer ones are not ours and need not be hashed


class AccountsService:
    """Who may call the API."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def make_owner_token(self) -> str | None:
        """The owner's token where none existed yet, the only time it is ever seen; else None."""
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        is_first = await self._database.everybody.write(_make_first, _hash(token), self._clock())
        return token if is_first else None

    async def authenticate(self, token: str, *, address: str = "", request_id: str = "") -> Caller:
        """Who ``token`` belongs to.  Raises: Unauthorised."""
        if token.startswith(TOKEN_PREFIX) and len(token) <= _MAX_TOKEN_CHARACTERS:
            token_hash = _hash(token)
            found = await self._database.everybody.read(tokens.by_hash, token_hash)
            # The index compares hashes, which tell nothing of tokens; this comparison does not depend on it.
            if found is not None and hmac.compare_digest(found[0].token_hash, token_hash):
                row, organisation = found
                return Caller(
                    token_id=row.id,
                    name=row.name,
                    organisation_id=row.organisation_id,
                    scopes=frozenset(map(Scope, row.scopes)),
                    user_id=row.user_id,
                    plan=organisation.plan,
                    address=address,
                    request_id=request_id,
                )
        raise Unauthorised("this token is not known")


def _make_first(session: Session, token_hash: bytes, now: datetime) -> bool:
    if tokens.count(session):
        return False
    organisation = organisations.insert(session, "default", "default", "unlimited", now)
    tokens.insert(session, organisation.id, "owner", token_hash, sorted(Scope), now)
    return True


def _hash(token: str) -> bytes:
    # A token has 256 random bits: a plain hash cannot be reversed by guessing, so no slow one is needed.
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
