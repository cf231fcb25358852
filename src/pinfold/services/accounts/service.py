"""Who a token belongs to, asked before every request; and the first token of all."""

from __future__ import annotations

import asyncio
import hmac
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, cast

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pinfold.core.errors import Forbidden, Unauthorised
from pinfold.db import Database, changes, memberships, organisations, sign_ins, tokens, users
from pinfold.db.changes import SYSTEM
from pinfold.db.models import TokenRow
from pinfold.db.session import DATABASE_FAILURES
from pinfold.db.stamp import Stamp
from pinfold.db.tokens import Holder
from pinfold.services.accounts import secret
from pinfold.services.accounts.model import TOKEN_PREFIX, Caller, Rates, Role, Scope, TokenKind
from pinfold.services.clock import Clock, utc_now
from pinfold.telemetry import fields, logger

log = logger("services")

DEFAULT_ADMINISTRATOR: Final = "admin@localhost"
_SESSIONS_KEPT: Final = timedelta(days=30)
_MOST_KNOWN: Final = 10_000  # holders, a kilobyte each
_NOTE_EVERY: Final = timedelta(minutes=1)
"""How exact the time of a token's last use is: a write for each would cost more than most requests."""


class AccountsService:
    """Who may call the API."""

    def __init__(
        self, database: Database, clock: Clock = utc_now, *, administrator_email: str = DEFAULT_ADMINISTRATOR
    ) -> None:
        self._database = database
        self._clock = clock
        self._administrator_email = administrator_email
        self._stamp = Stamp(database.engine)
        self._stamps: tuple[int | None] | None = None
        """The stamp of this turn of the event loop, where it was read."""
        self._known: dict[bytes, Holder] = {}
        self._known_at: int | None = None
        """Holders that were read since the last commit of anybody: they are as the database has them."""
        self._asking: dict[bytes, asyncio.Future[Holder | None]] = {}
        """Questions that wait for a thread."""
        self._noted: dict[str, datetime] = {}
        """Per token the last use that was written down, of the last minute or so."""
        self._used: dict[str, datetime] = {}
        """Uses that wait to be written down."""
        self._noting: asyncio.Task[None] | None = None

    async def is_unclaimed(self) -> bool:
        """Whether ``make_owner_token`` would make the first token."""
        return await self._database.everybody.read(_is_unclaimed, self._administrator_email)

    async def make_owner_token(self, token: str | None = None) -> str | None:
        """The first token, ``token`` if given, where none existed yet, the only time it is ever seen; else None.

        With it come the first organisation and its owner, the server's administrator, who has no password yet.
        """
        token = token or secret.new_token()
        try:
            is_first = await self._database.everybody.write(
                _make_first, token, self._administrator_email, self._clock()
            )
        except IntegrityError:  # another process that started at the same moment made it
            return None
        return token if is_first else None

    async def authenticate(self, token: str, *, address: str = "", request_id: str = "") -> Caller:
        """Who ``token`` belongs to and what it is good for at this moment; ``spend`` a use when all else is well.

        Raises:  Unauthorised, Forbidden where its organisation is suspended.
        """
        if not token.startswith(TOKEN_PREFIX) or len(token) > secret.MAX_CHARACTERS:
            raise Unauthorised("this token is not known")
        token_hash = secret.hashed(token)
        found = await self._holder(token_hash)
        # The index compares hashes, which tell nothing of tokens; this comparison does not depend on it.
        if found is None or not hmac.compare_digest(found.token_hash, token_hash):
            raise Unauthorised("this token is not known")
        now = self._clock()
        _refuse_unusable(found, now)
        self._note_use(found.token_id, now)
        return _caller(found, address, request_id)

    async def confirm(self, token: str, scope: Scope) -> None:
        """Make sure, when a request took long, that its token was not taken away meanwhile.

        It may have expired, or had its last use: it was good as the request began.
        Raises:  Unauthorised; Forbidden, also where it has ``scope`` no more.
        """
        found = await self._holder(secret.hashed(token))
        if found is None:
            raise Unauthorised("this token is not known")
        _refuse_taken_away(found)
        _caller(found, "", "").require(scope)

    async def _holder(self, token_hash: bytes) -> Holder | None:
        stamp = self._stamp_of_turn()  # before the read: what is committed during it makes the next one read again
        if stamp is None or stamp != self._known_at or len(self._known) >= _MOST_KNOWN:
            self._known, self._known_at = {}, stamp
        known = self._known  # by the time of the answer another may have taken its place, for a later state
        if token_hash in known:
            return known[token_hash]
        # Whoever comes before the question is put to the database shares its answer.
        asking = self._asking.get(token_hash)
        if asking is None:
            asking = self._ask(token_hash)
        found = await asyncio.shield(asking)
        if found is not None and stamp is not None:
            known[token_hash] = found
        return found

    def _stamp_of_turn(self) -> int | None:
        """The database's stamp, read once a turn of the event loop.

        All that one turn begins to answer had come before it began, so none of it is older than the stamp.
        """
        if self._stamps is None:
            self._stamps = (self._stamp.now(),)
            asyncio.get_running_loop().call_soon(self._forget_stamp)
        return self._stamps[0]

    def _forget_stamp(self) -> None:
        self._stamps = None

    def _ask(self, token_hash: bytes) -> asyncio.Future[Holder | None]:
        def read(session: Session) -> Holder | None:
            self._asking.pop(token_hash, None)
            return tokens.holder(session, token_hash)

        def forget(done: asyncio.Future[Holder | None]) -> None:  # it may have failed before it was put
            if self._asking.get(token_hash) is done:
                del self._asking[token_hash]

        asking = self._asking[token_hash] = self._database.everybody.start_to_read(read)
        asking.add_done_callback(forget)
        return asking

    async def spend(self, caller: Caller) -> None:
        """Take one use of a token that has a number of them.  Raises: Unauthorised, where none is left."""
        if caller.has_limited_uses and not await self._database.everybody.write(tokens.spend, caller.token_id):
            raise Unauthorised("this token has no use left", hint="Ask whoever gave it for another.")

    async def prune_sessions(self) -> int:
        """Forget sessions that ended a month ago; the audit log keeps that they were.  How many those were.

        Forgotten as well are addresses that no longer count for sign-ins.
        """
        now = self._clock()
        await self._database.everybody.write(sign_ins.prune, now)
        return await self._database.everybody.write(tokens.remove_sessions, now - _SESSIONS_KEPT)

    async def close(self) -> None:
        """Write down the last uses of tokens."""
        if self._noting is not None:
            self._noting.cancel()
            await asyncio.wait([self._noting])
        await self._write_uses()
        self._stamp.close()

    def _note_use(self, token_id: str, now: datetime) -> None:
        noted = self._noted.get(token_id)
        if noted is not None and now - noted < _NOTE_EVERY:
            return
        self._noted[token_id] = self._used[token_id] = now
        if self._noting is None or self._noting.done():
            self._noting = asyncio.create_task(self._note_uses())

    async def _note_uses(self) -> None:
        await asyncio.sleep(1)  # those of many tokens together
        await self._write_uses()
        old = self._clock() - _NOTE_EVERY
        self._noted = {token_id: at for token_id, at in self._noted.items() if at > old}

    async def _write_uses(self) -> None:
        used, self._used = self._used, {}
        if not used:
            return
        try:
            await self._database.everybody.write(tokens.touch, used)
        except DATABASE_FAILURES as exc:
            log.warning("the last use of tokens was not written down", **{fields.ERROR: str(exc)})


def _refuse_unusable(found: Holder, now: datetime) -> None:
    _refuse_taken_away(found)
    if found.expires_at is not None and found.expires_at <= now:
        raise Unauthorised("this token has expired")
    if found.uses_left == 0:
        raise Unauthorised("this token has no use left", hint="Ask whoever gave it for another.")


def _refuse_taken_away(found: Holder) -> None:
    if found.revoked_at is not None:
        raise Unauthorised("this token was revoked")
    if found.user_id is not None and found.user_status != "active":
        raise Unauthorised(
            "the user of this token is disabled",
            hint="Whoever runs the server can let them in again with `pinfold user enable`.",
        )
    if found.user_id is not None and found.role is None:
        raise Unauthorised(
            "the user of this token is no member of its organisation any more",
            hint="Ask an owner or an admin of the organisation for an invitation.",
        )
    if found.organisation_status != "active":
        raise Forbidden(
            "this organisation is suspended", hint="Its content is kept; ask the administrator of this server."
        )


def _caller(found: Holder, address: str, request_id: str) -> Caller:
    role = None if found.role is None else Role(found.role)
    return Caller(
        token_id=found.token_id,
        name=found.user_email or found.name,
        organisation_id=found.organisation_id,
        scopes=_scopes(tuple(found.scopes), role, bool(found.is_administrator)),
        user_id=found.user_id,
        plan=found.plan,
        address=address,
        request_id=request_id,
        kind=cast(TokenKind, found.kind),
        role=role,
        rates=Rates(found.uploads_per_window, found.requests_per_window, found.window_s, found.requests_per_day),
        expires_at=found.expires_at,
        has_limited_uses=found.uses_left is not None,
    )


@lru_cache(maxsize=4096)
def _scopes(given: tuple[str, ...], role: Role | None, is_administrator: bool) -> frozenset[Scope]:
    """What a token was made for, as far as its user's role reaches today: a demotion narrows it at once."""
    scopes = frozenset(Scope(one) for one in given if one in _KNOWN)
    if role is not None:
        scopes &= role.scopes | ({Scope.SERVER_ADMIN} if is_administrator else frozenset())
    return scopes


_KNOWN: Final = frozenset(map(str, Scope))


def _has_administrator(session: Session, email: str) -> bool:
    return users.by_email(session, email) is not None or users.count_administrators(session) > 0


def _is_unclaimed(session: Session, email: str) -> bool:
    return not _has_administrator(session, email) and not tokens.count(session)


def _make_first(session: Session, token: str, email: str, now: datetime) -> bool:
    if _has_administrator(session, email):
        return False
    organisation = organisations.first(session) or organisations.insert(session, "default", "default", "unlimited", now)
    change = changes.begin_for(session, organisation.id, SYSTEM, now)
    user = users.insert(session, email, "Administrator", None, now)
    user.is_administrator = True
    memberships.insert(session, organisation.id, user.id, Role.OWNER, now)
    change.audit("user.created", user.id, email=email, role=Role.OWNER)
    if tokens.count(session):  # a version before this one printed it
        tokens.give_first_to(session, user.id, sorted(Scope))
        return False
    row = tokens.insert(
        session,
        TokenRow(
            organisation_id=organisation.id,
            user_id=user.id,
            kind="owner",
            name="owner",
            shown_prefix=token[: secret.SHOWN_CHARACTERS],
            token_hash=secret.hashed(token),
            scopes=sorted(Scope),
            created_at=now,
        ),
    )
    change.audit("token.created", row.id, name="owner", scopes=sorted(Scope))
    return True
