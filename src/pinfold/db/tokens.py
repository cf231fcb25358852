"""Queries about tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import CursorResult, LargeBinary, and_, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from pinfold.db.models import MembershipRow, OrganisationRow, PlanRow, TokenRow, UserRow
from pinfold.db.paging import Page, Wanted, page_of
from pinfold.db.prepared import Prepared


@dataclass(frozen=True, slots=True)
class Holder:
    """All that is to be known of a token when somebody sends it."""

    token_id: str
    token_hash: bytes
    kind: str
    name: str
    scopes: list[str]
    expires_at: datetime | None
    uses_left: int | None
    revoked_at: datetime | None
    organisation_id: str
    organisation_status: str
    plan: str
    uploads_per_window: int | None
    requests_per_window: int | None
    window_s: int
    requests_per_day: int | None
    user_id: str | None
    user_email: str | None
    user_status: str | None
    is_administrator: bool | None
    role: str | None


# Made once: this runs before every request.
_HOLDER: Final = Prepared(
    select(
        TokenRow.id,
        TokenRow.token_hash,
        TokenRow.kind,
        TokenRow.name,
        TokenRow.scopes,
        TokenRow.expires_at,
        TokenRow.uses_left,
        TokenRow.revoked_at,
        TokenRow.organisation_id,
        OrganisationRow.status,
        OrganisationRow.plan,
        PlanRow.uploads_per_window,
        PlanRow.requests_per_window,
        PlanRow.window_s,
        func.coalesce(OrganisationRow.quota_requests_per_day, PlanRow.quota_requests_per_day),
        TokenRow.user_id,
        UserRow.email,
        UserRow.status,
        UserRow.is_administrator,
        MembershipRow.role,
    )
    .join(OrganisationRow, OrganisationRow.id == TokenRow.organisation_id)
    .join(PlanRow, PlanRow.name == OrganisationRow.plan)
    .outerjoin(UserRow, UserRow.id == TokenRow.user_id)
    .outerjoin(
        MembershipRow,
        and_(MembershipRow.user_id == TokenRow.user_id, MembershipRow.organisation_id == TokenRow.organisation_id),
    )
    .where(TokenRow.token_hash == bindparam("token_hash", type_=LargeBinary)),
    of_tenant=False,
)


def holder(session: Session, token_hash: bytes) -> Holder | None:
    """The token whose hash this is and whoever holds it, in a session for everybody."""
    rows = _HOLDER.rows(session, token_hash=token_hash)
    return Holder(*rows[0]) if rows else None


def spend(session: Session, token_id: str) -> bool:
    """Whether the token had a use left; it has one less now.  In a session for everybody."""
    result = session.execute(
        update(TokenRow)
        .where(TokenRow.id == token_id, TokenRow.uses_left > 0)
        .values(uses_left=TokenRow.uses_left - 1)
        .execution_options(synchronize_session=False)
    )
    return _changed(result) == 1


def touch(session: Session, used_at: Mapping[str, datetime]) -> None:
    """Note when tokens were used last, in a session for everybody; a later time that is there already stays."""
    for token_id in sorted(used_at):
        at = used_at[token_id]
        session.execute(
            update(TokenRow)
            .where(TokenRow.id == token_id, (TokenRow.last_used_at.is_(None)) | (TokenRow.last_used_at < at))
            .values(last_used_at=at)
            .execution_options(synchronize_session=False)
        )


def count(session: Session) -> int:
    """How many tokens there are."""
    return session.scalar(select(func.count()).select_from(TokenRow)) or 0


def page(session: Session, wanted: Wanted, user_id: str | None = None) -> Page[TokenRow]:
    """Tokens that are neither revoked nor sessions', newest first; of one user where one is named."""
    statement = select(TokenRow).where(TokenRow.revoked_at.is_(None), TokenRow.kind != "session")
    if user_id is not None:
        statement = statement.where(TokenRow.user_id == user_id)
    return page_of(session, statement, TokenRow.id, wanted)


def get(session: Session, token_id: str) -> TokenRow | None:
    """One token that is not revoked."""
    return session.scalar(select(TokenRow).where(TokenRow.id == token_id, TokenRow.revoked_at.is_(None)))


def revoke(session: Session, token_id: str, now: datetime) -> bool:
    """Whether there was such a token to revoke."""
    result = session.execute(
        update(TokenRow).where(TokenRow.id == token_id, TokenRow.revoked_at.is_(None)).values(revoked_at=now)
    )
    return _changed(result) == 1


def revoke_all_of(
    session: Session, user_id: str, now: datetime, *, kinds: Sequence[str] = (), except_id: str = ""
) -> int:
    """Revoke the tokens of a user that the session can see, of ``kinds`` where some are named; how many those were."""
    statement = update(TokenRow).where(
        TokenRow.user_id == user_id, TokenRow.revoked_at.is_(None), TokenRow.id != except_id
    )
    if kinds:
        statement = statement.where(TokenRow.kind.in_(kinds))
    return _changed(session.execute(statement.values(revoked_at=now)))


def insert(session: Session, row: TokenRow) -> TokenRow:
    """A new token."""
    session.add(row)
    session.flush()
    return row


def remove_sessions(session: Session, ended_before: datetime, limit: int = 1000) -> int:
    """Forget sessions that ended before then, in a session for everybody; how many those were."""
    ended = select(TokenRow.id).where(TokenRow.kind == "session", TokenRow.expires_at < ended_before).limit(limit)
    ids = session.scalars(ended).all()
    return _changed(
        session.execute(delete(TokenRow).where(TokenRow.id.in_(ids)).execution_options(synchronize_session=False))
    )


def give_first_to(session: Session, user_id: str, scopes: list[str]) -> None:
    """Have the owner's tokens that are nobody's belong to a user, with these scopes; in a session for everybody."""
    session.execute(
        update(TokenRow)
        .where(TokenRow.kind == "owner", TokenRow.user_id.is_(None))
        .values(user_id=user_id, scopes=scopes)
    )


def _changed(result: Any) -> int:
    return cast("CursorResult[Any]", result).rowcount
