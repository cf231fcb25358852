"""Signing in by e-mail and password, out, and up where that is open.

Whether an address is known, locked or disabled cannot be told from an answer, nor from how long it takes: every
refusal reads the same and comes at the same moment after the question.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from pinfold.core.email_address import normal_email
from pinfold.core.errors import Forbidden, InvalidInput, RecordConflict, Unauthorised
from pinfold.db import Database, changes, memberships, organisations, sign_ins, tokens, users
from pinfold.db.changes import Actor
from pinfold.db.models import OrganisationRow, TokenRow, UserRow
from pinfold.services.accounts import secret
from pinfold.services.accounts.model import Caller, Role, Scope
from pinfold.services.accounts.passwords import Passwords
from pinfold.services.accounts.slug import free_slug
from pinfold.services.clock import Clock, utc_now
from pinfold.telemetry import fields, logger

log = logger("services")

SESSION_LENGTH: Final = timedelta(hours=12)
REFUSED_AFTER_S: Final = 0.3  # longer than any way to find out that the password is wrong
_FREE_PLAN: Final = "free"
_HINT: Final = (
    f"After {sign_ins.MOST_FROM_ADDRESS} wrong passwords an address waits for a minute, then for longer each time. "
    "Try again later or from another address; the server's administrator ends the wait: `pinfold user enable EMAIL`."
)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session: its token is shown this once."""

    token: str
    expires_at: datetime
    user_id: str
    organisation_id: str
    scopes: tuple[str, ...]


class SignInService:
    """Sessions of people."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        clock: Clock = utc_now,
        *,
        sign_up_is_open: bool = False,
        refused_after_s: float = REFUSED_AFTER_S,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._clock = clock
        self._sign_up_is_open = sign_up_is_open
        self._refused_after_s = refused_after_s

    async def sign_in(
        self, email: str, password: str, organisation: str = "", *, address: str = "", request_id: str = ""
    ) -> SignedIn:
        """A session in an organisation, by its slug or id; in the one they joined first where none is named.

        Raises:  Unauthorised; Forbidden, where the organisation is suspended.
        """
        user = await self.check(email, password, address=address, request_id=request_id)
        return await self.open_session(user, organisation, address=address, request_id=request_id)

    async def check(
        self,
        email: str,
        password: str,
        *,
        address: str = "",
        request_id: str = "",
        noun: str = "e-mail address or the password",
        hint: str = _HINT,
    ) -> UserRow:
        """The user whose password this is; ``noun`` is what may be wrong with the question.

        Raises:  Unauthorised, in every case with the same words.
        """
        began = time.monotonic()
        try:
            known = normal_email(email)
        except InvalidInput:
            known = ""
        attempt = await self._database.everybody.write(sign_ins.begin, known, address, self._clock())
        user = attempt.user if attempt is not None and attempt.is_allowed else None
        if await self._passwords.matches(user.password_hash if user else None, password) and user is not None:
            await self._database.everybody.write(sign_ins.succeeded, user.id, address, self._clock())
            return user
        await self._note_refusal(attempt, address, request_id)
        await asyncio.sleep(max(0.0, began + self._refused_after_s - time.monotonic()))
        raise Unauthorised(f"the {noun} is wrong, or too many were tried", hint=hint)

    async def _note_refusal(self, attempt: sign_ins.Try | None, address: str, request_id: str) -> None:
        """Write a wrong password into the log, and into the audit log where it was one of a user.

        Of addresses that are not known the log has no text: it may be a password in the wrong field.
        """
        if attempt is None:
            log.info("sign-in refused: no such user", **{fields.ADDRESS: address})
            return
        why = "wrong password" if attempt.is_allowed else "too many wrong passwords"
        log.warning(f"sign-in refused: {why}", **{fields.ADDRESS: address, fields.USER_ID: attempt.user.id})
        if attempt.is_allowed:  # what is not tried is not written: nobody fills the log with it
            actor = Actor("system", None, "sign-in", address, request_id)
            await self._database.everybody.write(_refused, attempt, actor, self._clock())

    async def open_session(
        self, user: UserRow, organisation: str = "", *, address: str = "", request_id: str = ""
    ) -> SignedIn:
        """A session for somebody who has proved who they are."""
        token = secret.new_token()
        actor = Actor("user", user.id, user.email, address, request_id)
        return await self._database.everybody.write(_open, user.id, organisation, token, actor, self._clock())

    async def sign_out(self, caller: Caller) -> None:
        """End the session that ``caller`` speaks in.  Raises: RecordConflict, where their token is none."""
        if caller.kind != "session":
            raise RecordConflict("this token is no session", hint="DELETE /api/v1/tokens/{id} revokes it.")
        await self._database.of(caller.organisation_id).write(_close, caller, self._clock())

    async def sign_up(
        self, email: str, name: str, password: str, organisation: str, *, address: str = "", request_id: str = ""
    ) -> SignedIn:
        """A new user, owner of a new organisation on the plan ``free``, signed in.

        Raises:  Forbidden where sign-up is closed, RecordConflict, InvalidInput.
        """
        if not self._sign_up_is_open:
            raise Forbidden("sign-up is closed on this server", hint="Ask somebody who is in for an invitation.")
        known = normal_email(email)
        password_hash = await self._passwords.hash(password)
        user = await self._database.everybody.write(
            _sign_up, known, name, password_hash, organisation, address, request_id, self._clock()
        )
        return await self.open_session(user, address=address, request_id=request_id)


def _open(session: Session, user_id: str, organisation: str, token: str, actor: Actor, now: datetime) -> SignedIn:
    user = users.get(session, user_id)
    found = memberships.organisations_of(session, user_id)
    of_theirs = [pair for pair in found if not organisation or organisation in (pair[1].id, pair[1].slug)]
    if user is None or user.status != "active" or not of_theirs:
        which = "an organisation of that slug or id" if organisation else "any organisation"
        raise Unauthorised(
            f"this user is no member of {which}", hint="Ask an owner or an admin of one for an invitation to it."
        )
    active = [pair for pair in of_theirs if pair[1].status == "active"]
    if not active:
        raise Forbidden("this organisation is suspended", hint="Ask the administrator of this server.")
    membership, tenant = active[0]
    scopes = Role(membership.role).scopes | ({Scope.SERVER_ADMIN} if user.is_administrator else set())
    change = changes.begin_for(session, tenant.id, actor, now)
    row = tokens.insert(
        session,
        TokenRow(
            organisation_id=tenant.id,
            user_id=user.id,
            kind="session",
            name="session",
            shown_prefix=token[: secret.SHOWN_CHARACTERS],
            token_hash=secret.hashed(token),
            scopes=sorted(scopes),
            expires_at=now + SESSION_LENGTH,
            created_at=now,
        ),
    )
    change.audit("session.created", row.id)
    return SignedIn(token, now + SESSION_LENGTH, user.id, tenant.id, tuple(sorted(scopes)))


def _refused(session: Session, attempt: sign_ins.Try, actor: Actor, now: datetime) -> None:
    """Into the log of the organisation that the user joined first; a user of none has no log."""
    for _, organisation in memberships.organisations_of(session, attempt.user.id)[:1]:
        change = changes.begin_for(session, organisation.id, actor, now)
        blocked = {} if attempt.blocked_until is None else {"blocked_until": attempt.blocked_until}
        change.audit("session.refused", attempt.user.id, email=attempt.user.email, **blocked)


def _close(session: Session, caller: Caller, now: datetime) -> None:
    change = changes.begin(session, caller.actor, now)
    tokens.revoke(session, caller.token_id, now)
    change.audit("session.ended", caller.token_id)


def _sign_up(
    session: Session,
    email: str,
    name: str,
    password_hash: str,
    organisation: str,
    address: str,
    request_id: str,
    now: datetime,
) -> UserRow:
    if users.by_email(session, email) is not None:
        raise RecordConflict("there is a user with this e-mail address already")
    tenant: OrganisationRow = organisations.insert(
        session, organisation, free_slug(session, organisation), _FREE_PLAN, now
    )
    user = users.insert(session, email, name, password_hash, now)
    sign_ins.succeeded(session, user.id, address, now)
    memberships.insert(session, tenant.id, user.id, Role.OWNER, now)
    change = changes.begin_for(session, tenant.id, Actor("user", user.id, email, address, request_id), now)
    change.audit("organisation.created", tenant.id, name=organisation, plan=_FREE_PLAN)
    change.audit("user.created", user.id, email=email, role=Role.OWNER)
    return user
