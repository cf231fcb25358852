"""Queries about tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pinfold.db.models import OrganisationRow, TokenRow


def count(session: Session) -> int:
    """How many tokens there are."""
    return session.scalar(select(func.count()).select_from(TokenRow)) or 0


def by_hash(session: Session, token_hash: bytes) -> tuple[TokenRow, OrganisationRow] | None:
    """The token whose hash this is, and its organisation."""
    row = session.execute(
        select(TokenRow, OrganisationRow)
        .join(OrganisationRow, OrganisationRow.id == TokenRow.organisation_id)
        .where(TokenRow.token_hash == token_hash)
    ).first()
    return None if row is None else (row[0], row[1])


def insert(
    session: Session, organisation_id: str, name: str, token_hash: bytes, scopes: list[str], now: datetime
) -> TokenRow:
    """A new token of an organisation."""
    row = TokenRow(
        organisation_id=organisation_id, name=name, token_hash=token_hash, scopes=scopes, kind="owner", created_at=now
    )
    session.add(row)
    session.flush()
    return row
