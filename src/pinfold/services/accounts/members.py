"""Members of an organisation and invitations to become one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from pinfold.core.email_address import normal_email
from pinfold.core.errors import Forbidden, RecordConflict, RecordNotFound, Unauthorised
from pinfold.db import Database, changes, invitations, memberships, sign_ins, tokens, users
from pinfold.db.changes import Actor
from pinfold.db.models import InvitationRow, MembershipRow, UserRow
from pinfold.db.paging import Wanted
from pinfold.services.accounts import secret
from pinfold.services.accounts.model import Caller, Role, Scope
from pinfold.services.accounts.passwords import Passwords
from pinfold.services.accounts.records import Invitation, Listed, Member
from pinfold.services.accounts.sign_in import SignedIn, SignInService
from pinfold.services.clock import Clock, utc_now

INVITED_FOR: Final = timedelta(days=7)
_ONLY_USERS: Final = (
    "This invitation is for a user of this server: give the password that they have.  The server's administrator makes "
    "new users: `pinfold user invite` or `pinfold user create`."
)


class MembersService:
    """Who is in an organisation, as what, and who may become one."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        sign_in: SignInService,
        clock: Clock = utc_now,
        *,
        invitations_make_users: bool = False,
    ) -> None:
        """Invitations by a caller with ``server:admin`` make users; ``invitations_make_users``: all others as well."""
        self._invitations_make_users = invitations_make_users
        self._database = database
        self._passwords = passwords
        self._sign_in = sign_in
        self._clock = clock

    async def page(self, caller: Caller, wanted: Wanted) -> Listed[Member]:
        """Members, the first user first.  Raises: Forbidden."""
        caller.require(Scope.ORG_READ)
        bound = self._database.of(caller.organisation_id)
        return Listed.of(await bound.read(memberships.page, caller.organisation_id, wanted), Member.of_rows)

    async def add(self, caller: Caller, user_id: str, role: Role) -> Member:
        """A user who is there already, made a member; by the administrator of the server only.

        Raises:  Forbidden, RecordNotFound, RecordConflict.
        """
        caller.require(Scope.SERVER_ADMIN)
        return await self._database.of(caller.organisation_id).write(_add, caller, user_id, role, self._clock())

    async def change_role(self, caller: Caller, user_id: str, role: Role) -> Member:
        """The member with another role, which bounds their tokens at once.

        Raises:  Forbidden, RecordNotFound, RecordConflict for the last owner.
        """
        caller.require(Scope.ORG_ADMIN)
        bound = self._database.of(caller.organisation_id)
        return await bound.write(_change_role, caller, user_id, role, self._clock())

    async def remove(self, caller: Caller, user_id: str) -> None:
        """Somebody is a member no longer; their tokens of this organisation end at once.

        Raises:  Forbidden, RecordNotFound, RecordConflict for the last owner.
        """
        caller.require(Scope.ORG_ADMIN)
        await self._database.of(caller.organisation_id).write(_remove, caller, user_id, self._clock())

    # -- invitations -------------------------------------------------------------------------------------------------

    async def invitations(self, caller: Caller, wanted: Wanted) -> Listed[Invitation]:
        """Invitations that can be accepted still, newest first.  Raises: Forbidden."""
        caller.require(Scope.ORG_ADMIN)
        bound = self._database.of(caller.organisation_id)
        return Listed.of(await bound.read(invitations.page, wanted, self._clock()), Invitation.of)

    async def invite(self, caller: Caller, email: str, role: Role) -> tuple[Invitation, str]:
        """An invitation, and its secret, which is for the invited only and never seen again.

        Raises:  Forbidden, InvalidInput, RecordConflict where they are a member.
        """
        caller.require(Scope.ORG_ADMIN)
        code = secret.new_invitation()
        bound = self._database.of(caller.organisation_id)
        row = await bound.write(_invite, caller, normal_email(email), role, secret.hashed(code), self._clock())
        return Invitation.of(row), code

    async def take_back(self, caller: Caller, invitation_id: str) -> None:
        """An invitation ends.  Raises: Forbidden, RecordNotFound."""
        caller.require(Scope.ORG_ADMIN)
        await self._database.of(caller.organisation_id).write(_take_back, caller, invitation_id, self._clock())

    async def accept(self, code: str, name: str, password: str, *, address: str = "", request_id: str = "") -> SignedIn:
        """The invited, a member now and signed in: with the password they have, or, being new, with this one.

        An inviter holds the secret too, so that it proves nothing about the address: it makes a new user only where the
        inviter may make users anyway.  Whether there is a user cannot be told from a refusal.
        Raises:  Unauthorised, InvalidInput.
        """
        code_hash, now = secret.hashed(code[: secret.MAX_CHARACTERS]), self._clock()
        known = await self._database.everybody.read(_invited, code_hash, now)
        if known is None:
            raise Unauthorised("this invitation is not known, was used, or has expired", hint="Ask for a new one.")
        email, is_new, makes_user = known
        password_hash = None
        if is_new and (makes_user or self._invitations_make_users):
            password_hash = await self._passwords.hash(password)
        else:
            await self._sign_in.check(
                email, password, address=address, request_id=request_id, noun="password", hint=_ONLY_USERS
            )
        accepted, organisation_id = await self._database.everybody.write(
            _accept, code_hash, name, password_hash, address, request_id, now
        )
        return await self._sign_in.open_session(accepted, organisation_id, address=address, request_id=request_id)


def _found(session: Session, organisation_id: str, user_id: str) -> tuple[MembershipRow, UserRow]:
    found = memberships.get(session, organisation_id, user_id)
    if found is None:
        raise RecordNotFound(f"there is no member {user_id}")
    return found


def _require_over(caller: Caller, *roles: str) -> None:
    if Role.OWNER in roles and not caller.may_name_owners:
        raise Forbidden("only an owner makes, changes or removes an owner", hint="Ask an owner of the organisation.")


def _require_an_owner_left(session: Session, organisation_id: str) -> None:
    session.flush()
    if not memberships.count_owners(session, organisation_id):
        raise RecordConflict("this is the last owner of the organisation", hint="Make somebody else an owner first.")


def _add(session: Session, caller: Caller, user_id: str, role: Role, now: datetime) -> Member:
    change = changes.begin(session, caller.actor, now)
    user = users.get(session, user_id)
    if user is None:
        raise RecordNotFound(f"there is no user {user_id}")
    if memberships.get(session, caller.organisation_id, user_id) is not None:
        raise RecordConflict(f"{user.email} is a member already")
    row = memberships.insert(session, caller.organisation_id, user_id, role, now)
    change.audit("member.added", user_id, email=user.email, role=role)
    return Member.of_rows((row, user))


def _change_role(session: Session, caller: Caller, user_id: str, role: Role, now: datetime) -> Member:
    change = changes.begin(session, caller.actor, now)
    membership, user = _found(session, caller.organisation_id, user_id)
    _require_over(caller, membership.role, role)
    if not role.scopes <= Role(membership.role).scopes:
        caller.require_all_of(role)
    before, membership.role = membership.role, role.value
    if before == Role.OWNER:
        _require_an_owner_left(session, caller.organisation_id)
    change.audit("member.changed", user_id, email=user.email, role=role, before=before)
    session.flush()
    return Member.of_rows((membership, user))


def _remove(session: Session, caller: Caller, user_id: str, now: datetime) -> None:
    change = changes.begin(session, caller.actor, now)
    membership, user = _found(session, caller.organisation_id, user_id)
    _require_over(caller, membership.role)
    session.delete(membership)
    if membership.role == Role.OWNER:
        _require_an_owner_left(session, caller.organisation_id)
    tokens.revoke_all_of(session, user_id, now)
    change.audit("member.removed", user_id, email=user.email, role=membership.role)


def _invite(session: Session, caller: Caller, email: str, role: Role, code_hash: bytes, now: datetime) -> InvitationRow:
    change = changes.begin(session, caller.actor, now)
    _require_over(caller, role)
    caller.require_all_of(role)
    user = users.by_email(session, email)
    if user is not None and memberships.get(session, caller.organisation_id, user.id) is not None:
        raise RecordConflict(f"{email} is a member already")
    row = invitations.insert(
        session,
        InvitationRow(
            email=email,
            role=role.value,
            token_hash=code_hash,
            invited_by=caller.user_id,
            makes_user=Scope.SERVER_ADMIN in caller.scopes,
            created_at=change.created_at(),
            expires_at=now + INVITED_FOR,
        ),
    )
    change.audit("invitation.created", row.id, email=email, role=role)
    return row


def _take_back(session: Session, caller: Caller, invitation_id: str, now: datetime) -> None:
    change = changes.begin(session, caller.actor, now)
    row = invitations.get(session, invitation_id)
    if row is None:
        raise RecordNotFound(f"there is no invitation {invitation_id}")
    _require_over(caller, row.role)
    change.audit("invitation.revoked", row.id, email=row.email)
    invitations.remove(session, row)


def _invited(session: Session, code_hash: bytes, now: datetime) -> tuple[str, bool, bool] | None:
    """The address that is invited, whether it is nobody's yet, and whether the invitation may make a user."""
    row = invitations.usable(session, code_hash, now, lock=False)
    return None if row is None else (row.email, users.by_email(session, row.email) is None, row.makes_user)


def _accept(
    session: Session,
    code_hash: bytes,
    name: str,
    password_hash: str | None,
    address: str,
    request_id: str,
    now: datetime,
) -> tuple[UserRow, str]:
    row = invitations.usable(session, code_hash, now, lock=True)
    if row is None:  # somebody else was quicker
        raise Unauthorised("this invitation is not known, was used, or has expired", hint="Ask for a new one.")
    user = users.by_email(session, row.email)
    if user is None:
        if password_hash is None:
            raise RecordConflict("the user of this invitation is not there any more")
        user = users.insert(session, row.email, name or row.email.partition("@")[0], password_hash, now)
        sign_ins.succeeded(session, user.id, address, now)
    elif password_hash is not None:
        raise RecordConflict("there is a user with this e-mail address by now", hint="Send their password.")
    change = changes.begin_for(
        session, row.organisation_id, Actor("user", user.id, user.email, address, request_id), now
    )
    if memberships.get(session, row.organisation_id, user.id) is None:
        memberships.insert(session, row.organisation_id, user.id, row.role, now)
    row.accepted_at = now
    change.audit("invitation.accepted", row.id, email=row.email, role=row.role, user=user.id)
    return user, row.organisation_id
