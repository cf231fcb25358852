"""Queries about tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pinfold.db.models import TokenRow


def count(session: Session) -> int:
    """How many tokens there are."""
    return session.scalar(select(func.count()).select_from(TokenRow)) or 0


def by_hash(session: Session, token_hash: bytes) -> TokenRow | None:
    """The token whose hash this is."""
    return session.scalar(select(TokenRow).where(TokenRow.token_hash == token_hash))


def insert_first(session: Session, name: str, token_hash: bytes, now: datetime) -> bool:
    """Whether the token was stored: only the first of all tokens is."""
    if count(session):
        return False
    session.add(TokenRow(name=name, token_hash=token_hash, created_at=now))
    return True
