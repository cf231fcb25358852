"""People: what they change of themselves, and what the administrator of the server does."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from pinfold.core.email_address import normal_email
from pinfold.core.errors import Forbidden, InvalidInput, RecordConflict, RecordNotFound, Unauthorised
from pinfold.db import Database, changes, sign_ins, tokens, users
from pinfold.db.models import UserRow
from pinfold.db.paging import Wanted
from pinfold.services.accounts.model import Caller, Scope
from pinfold.services.accounts.passwords import Passwords
from pinfold.services.accounts.records import Listed, User
from pinfold.services.accounts.sign_in import SignInService
from pinfold.services.clock import Clock, utc_now


class UsersService:
    """Users of the server."""

    def __init__(
        self, database: Database, passwords: Passwords, sign_in: SignInService, clock: Clock = utc_now
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._sign_in = sign_in
        self._clock = clock

    async def me(self, caller: Caller) -> User | None:
        """The user that the caller's token belongs to; None where it is nobody's."""
        if caller.user_id is None:
            return None
        row = await self._database.everybody.read(users.get, caller.user_id)
        return None if row is None else User.of(row)

    async def update_me(
        self,
        caller: Caller,
        *,
        name: str | None = None,
        password: str | None = None,
        current_password: str = "",
        keep_tokens: bool = False,
    ) -> User:
        """The caller's user with another name or password.

        With the old password end all sessions and, unless ``keep_tokens``, all tokens of the user but the caller's.
        Raises:  Forbidden for a token that is neither a session nor the owner's, Unauthorised, InvalidInput.
        """
        if caller.user_id is None or caller.kind not in ("session", "owner"):
            raise Forbidden("only somebody who is signed in can change themselves", hint="POST /api/v1/sessions")
        row = await self._database.everybody.read(users.get, caller.user_id)
        if row is None:
            raise Unauthorised("this user is not there any more")
        password_hash = None
        if password is not None:
            if row.password_hash is not None and not current_password:
                raise InvalidInput(
                    "current_password is missing",
                    hint="Send the password so far in it, beside the new one in password.",
                )
            password_hash = await self._passwords.hash(password)
            if row.password_hash is None:
                keep_tokens = True  # none of them can have been made by who knew an old password
            else:
                await self._sign_in.check(
                    row.email,
                    current_password,
                    noun="current password",
                    address=caller.address,
                    request_id=caller.request_id,
                )
        return User.of(
            await self._database.everybody.write(_update_me, caller, name, password_hash, keep_tokens, self._clock())
        )

    # -- of the server's administrator -------------------------------------------------------------------------------

    async def page(self, caller: Caller, wanted: Wanted) -> Listed[User]:
        """All users, newest first.  Raises: Forbidden."""
        caller.require(Scope.SERVER_ADMIN)
        return Listed.of(await self._database.everybody.read(users.page, wanted), User.of)

    async def get(self, caller: Caller, user_id: str) -> User:
        """One user.  Raises: Forbidden, RecordNotFound."""
        caller.require(Scope.SERVER_ADMIN)
        return User.of(await self._database.everybody.read(_there, user_id))

    async def create(self, caller: Caller, email: str, name: str, password: str | None) -> User:
        """A new user of no organisation yet.  Raises: Forbidden, InvalidInput, RecordConflict."""
        caller.require(Scope.SERVER_ADMIN)
        password_hash = None if password is None else await self._passwords.hash(password)
        return User.of(
            await self._database.everybody.write(
                _create, caller, normal_email(email), name, password_hash, self._clock()
            )
        )

    async def by_email(self, caller: Caller, email: str) -> User:
        """The user of an address.  Raises: Forbidden, InvalidInput, RecordNotFound."""
        caller.require(Scope.SERVER_ADMIN)
        row = await self._database.everybody.read(users.by_email, normal_email(email))
        if row is None:
            raise RecordNotFound(f"there is no user {email}")
        return User.of(row)

    async def update(
        self,
        caller: Caller,
        user_id: str,
        *,
        status: str | None = None,
        is_administrator: bool | None = None,
        password: str | None = None,
        unlock: bool = False,
    ) -> User:
        """A user disabled or not, an administrator or not, with another password, or free to try again.

        Disabling, and a new password, end their sessions and tokens for good, but the one that the caller sends.
        Raises:  Forbidden, InvalidInput, RecordNotFound; RecordConflict for the last administrator, whom only a
        command on the server's own machine disables.
        """
        caller.require(Scope.SERVER_ADMIN)
        password_hash = None if password is None else await self._passwords.hash(password)
        return User.of(
            await self._database.everybody.write(
                _update, caller, user_id, status, is_administrator, password_hash, unlock, self._clock()
            )
        )


def _there(session: Session, user_id: str) -> UserRow:
    row = users.get(session, user_id)
    if row is None:
        raise RecordNotFound(f"there is no user {user_id}")
    return row


def _update_me(
    session: Session,
    caller: Caller,
    name: str | None,
    password_hash: str | None,
    keep_tokens: bool,
    now: datetime,
) -> UserRow:
    change = changes.begin_for(session, caller.organisation_id, caller.actor, now)
    row = _there(session, caller.user_id or "")
    changed, ended = [], dict[str, int]()
    if name is not None:
        row.name = name
        changed.append("name")
    if password_hash is not None:
        row.password_hash = password_hash
        ended = _end_all_of(session, row.id, caller, now, keep_tokens=keep_tokens)
        changed.append("password")
    row.updated_at = now
    change.audit("user.updated", row.id, email=row.email, changed=changed, **ended)
    session.flush()
    return row


def _create(
    session: Session, caller: Caller, email: str, name: str, password_hash: str | None, now: datetime
) -> UserRow:
    change = changes.begin_for(session, caller.organisation_id, caller.actor, now)
    if users.by_email(session, email) is not None:
        raise RecordConflict("there is a user with this e-mail address already")
    row = users.insert(session, email, name, password_hash, now)
    change.audit("user.created", row.id, email=email)
    return row


def _update(
    session: Session,
    caller: Caller,
    user_id: str,
    status: str | None,
    is_administrator: bool | None,
    password_hash: str | None,
    unlock: bool,
    now: datetime,
) -> UserRow:
    change = changes.begin_for(session, caller.organisation_id, caller.actor, now)
    row = _there(session, user_id)
    detail: dict[str, object] = {}
    if status is not None and status != row.status:
        row.status = detail["status"] = status
    if is_administrator is not None and is_administrator != row.is_administrator:
        row.is_administrator = detail["is_administrator"] = is_administrator
    if password_hash is not None:
        row.password_hash = password_hash
        detail["changed"] = ["password"]
    if unlock or password_hash is not None:
        sign_ins.unblock(session, row)
        detail["unlocked"] = True
    row.updated_at = now
    session.flush()
    if not caller.is_operator and not users.count_administrators(session):
        raise RecordConflict("this is the last administrator of the server", hint="Make another one first.")
    if row.status == "disabled" or password_hash is not None:
        detail |= _end_all_of(session, row.id, caller, now)
    change.audit("user.updated", row.id, email=row.email, **detail)
    return row


def _end_all_of(
    session: Session, user_id: str, caller: Caller, now: datetime, *, keep_tokens: bool = False
) -> dict[str, int]:
    """End a user's sessions and tokens, the caller's own left out; how many those were, for the audit log."""
    own = caller.token_id
    ended = {"sessions_ended": tokens.revoke_all_of(session, user_id, now, kinds=("session",), except_id=own)}
    if not keep_tokens:
        ended["tokens_revoked"] = tokens.revoke_all_of(session, user_id, now, kinds=("api", "owner"), except_id=own)
    return ended
