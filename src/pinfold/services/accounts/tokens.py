"""Tokens: made, listed and revoked."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from pinfold.core.errors import Forbidden, InvalidInput, RecordNotFound
from pinfold.db import Database, changes, memberships, tokens
from pinfold.db.models import TokenRow
from pinfold.db.paging import Wanted
from pinfold.services.accounts import secret
from pinfold.services.accounts.model import Caller, Role, Scope
from pinfold.services.accounts.records import Listed, Token
from pinfold.services.clock import Clock, require_to_come, utc_now


class TokensService:
    """Tokens of an organisation: ``org:admin`` sees and revokes all; whoever is signed in, their own."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def create(
        self,
        caller: Caller,
        name: str,
        scopes: Iterable[Scope],
        *,
        expires_at: datetime | None = None,
        uses: int | None = None,
    ) -> tuple[Token, str]:
        """A new token's record, and the token itself, which nobody ever sees again.

        It is its maker's: their role bounds it, today and later.
        Raises:  Forbidden, InvalidInput.
        """
        wanted = frozenset(scopes)
        now = self._clock()
        _refuse(caller, wanted, expires_at, uses, now)
        token = secret.new_token()
        values = {
            "user_id": caller.user_id,
            "name": name,
            "shown_prefix": token[: secret.SHOWN_CHARACTERS],
            "token_hash": secret.hashed(token),
            "scopes": sorted(wanted),
            "expires_at": expires_at,
            "uses_left": uses,
        }
        made = await self._database.of(caller.organisation_id).write(_insert, values, caller, now)
        return Token.of(made), token

    async def page(self, caller: Caller, wanted: Wanted) -> Listed[Token]:
        """Tokens that are not revoked, newest first."""
        user_id = None if Scope.ORG_ADMIN in caller.scopes else _self(caller)
        found = await self._database.of(caller.organisation_id).read(tokens.page, wanted, user_id)
        return Listed.of(found, Token.of)

    async def get(self, caller: Caller, token_id: str) -> Token:
        """One token.  Raises: RecordNotFound."""
        return Token.of(await self._database.of(caller.organisation_id).read(_visible, caller, token_id))

    async def revoke(self, caller: Caller, token_id: str) -> None:
        """End a token: from this moment on nobody can use it, on any process.

        Only owners end what an owner holds, and only who looks after the server a token that does.
        Raises:  RecordNotFound, Forbidden.
        """
        await self._database.of(caller.organisation_id).write(_revoke, caller, token_id, self._clock())


def _refuse(
    caller: Caller, wanted: frozenset[Scope], expires_at: datetime | None, uses: int | None, now: datetime
) -> None:
    if not wanted:
        raise InvalidInput("a token needs at least one scope")
    if missing := wanted - caller.scopes:
        raise Forbidden(f"a token cannot be given what its maker lacks: {', '.join(sorted(missing))}")
    _self(caller)
    require_to_come(expires_at, now)
    if uses is not None and uses < 1:
        raise InvalidInput("a token needs at least one use")
    if caller.kind == "session":
        return
    if caller.has_limited_uses:
        raise Forbidden("a token with a limited number of uses makes no tokens")
    if caller.expires_at is not None and (expires_at is None or expires_at > caller.expires_at):
        raise Forbidden("a token that expires makes none that lives longer; send an earlier expires_at")


def _self(caller: Caller) -> str:
    """The user, where somebody is signed in; for others this takes ``org:admin``.  Raises: Forbidden."""
    if not caller.is_signed_in:
        caller.require(Scope.ORG_ADMIN)
    return caller.user_id or ""


def _insert(session: Session, values: dict[str, Any], caller: Caller, now: datetime) -> TokenRow:
    change = changes.begin(session, caller.actor, now)
    row = tokens.insert(session, TokenRow(**values, kind="api", created_at=change.created_at()))
    limits = {"expires_at": row.expires_at, "uses": row.uses_left}
    change.audit("token.created", row.id, name=row.name, scopes=row.scopes, **limits)
    return row


def _visible(session: Session, caller: Caller, token_id: str) -> TokenRow:
    user_id = None if Scope.ORG_ADMIN in caller.scopes else _self(caller)
    row = tokens.get(session, token_id)
    if row is None or (user_id is not None and row.user_id != user_id):
        raise RecordNotFound(f"there is no token {token_id}")
    return row


def _require_rank(session: Session, caller: Caller, row: TokenRow) -> None:
    if row.user_id is not None and row.user_id == caller.user_id:
        return
    if Scope.SERVER_ADMIN in row.scopes:
        caller.require(Scope.SERVER_ADMIN)
    found = memberships.get(session, caller.organisation_id, row.user_id) if row.user_id is not None else None
    is_owners = row.kind == "owner" or (found is not None and found[0].role == Role.OWNER)
    if is_owners and not caller.may_name_owners:
        raise Forbidden("only an owner ends a token or a session of an owner", hint="Ask an owner of the organisation.")


def _revoke(session: Session, caller: Caller, token_id: str, now: datetime) -> None:
    change = changes.begin(session, caller.actor, now)
    row = _visible(session, caller, token_id)
    _require_rank(session, caller, row)
    tokens.revoke(session, row.id, now)
    change.audit("token.revoked", row.id, name=row.name)
