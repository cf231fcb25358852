"""Queries about invitations."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from pinfold.db.dialect import for_update
from pinfold.db.models import InvitationRow
from pinfold.db.paging import Page, Wanted, page_of


def insert(session: Session, row: InvitationRow) -> InvitationRow:
    """A new invitation."""
    session.add(row)
    session.flush()
    return row


def page(session: Session, wanted: Wanted, now: datetime) -> Page[InvitationRow]:
    """Invitations that can be accepted still, newest first."""
    statement = select(InvitationRow).where(InvitationRow.accepted_at.is_(None), InvitationRow.expires_at > now)
    return page_of(session, statement, InvitationRow.id, wanted)


def get(session: Session, invitation_id: str) -> InvitationRow | None:
    """One invitation that nobody has accepted."""
    return session.scalar(
        select(InvitationRow).where(InvitationRow.id == invitation_id, InvitationRow.accepted_at.is_(None))
    )


def usable(session: Session, token_hash: bytes, now: datetime, *, lock: bool) -> InvitationRow | None:
    """The invitation whose token has this hash, if it can be accepted; in a session for everybody."""
    unused = select(InvitationRow).where(
        InvitationRow.token_hash == token_hash,
        InvitationRow.accepted_at.is_(None),
        InvitationRow.expires_at > now,
    )
    row: InvitationRow | None = session.scalar(for_update(unused) if lock else unused)
    return row


def remove(session: Session, row: InvitationRow) -> None:
    """Take an invitation back."""
    session.delete(row)
    session.flush()
