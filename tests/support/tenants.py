"""Organisations and tokens written straight into a database, for tests of what stands above accounts."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from pinfold.db import Database
from pinfold.db.models import OrganisationRow, TokenRow, TotalsRow
from pinfold.services.accounts import Scope
from pinfold.services.accounts.model import TOKEN_PREFIX

EVERY_TENANT_SCOPE = frozenset(Scope) - {Scope.SERVER_ADMIN}


def make_organisation(session: Session, slug: str, plan: str = "unlimited") -> str:
    """The id of the organisation of that slug, made where there is none."""
    there = session.scalar(select(OrganisationRow.id).where(OrganisationRow.slug == slug))
    if there is not None:
        return there
    now = datetime.now(UTC)
    row = OrganisationRow(name=slug, slug=slug, plan=plan, status="active", created_at=now, updated_at=now)
    session.add(row)
    session.flush()
    session.add(TotalsRow(organisation_id=row.id))
    session.flush()
    return row.id


def make_token(session: Session, organisation_id: str, scopes: Iterable[Scope] = EVERY_TENANT_SCOPE) -> str:
    """A token of an organisation, as its holder would send it."""
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    session.add(
        TokenRow(
            organisation_id=organisation_id,
            name="test",
            token_hash=hashlib.sha256(token.encode()).digest(),
            scopes=sorted(scopes),
            created_at=datetime.now(UTC),
        )
    )
    return token


def tenant_token(
    database: Database, slug: str = "default", scopes: Iterable[Scope] = EVERY_TENANT_SCOPE, plan: str = "unlimited"
) -> str:
    """A fresh token of the organisation of that slug, which is made where there is none."""

    def make(session: Session) -> str:
        return make_token(session, make_organisation(session, slug, plan), scopes)

    return database.everybody.write_now(make)
