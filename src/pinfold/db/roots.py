"""Queries about what is known of roots' content."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pinfold.db import dialect
from pinfold.db.models import RootRow


def of_root(session: Session, root: str) -> RootRow | None:
    """What is known of one root's content; None where nobody has looked yet."""
    return session.get(RootRow, root)


def of_roots(session: Session, roots: Sequence[str]) -> Sequence[RootRow]:
    """What is known of these roots' content."""
    return session.scalars(select(RootRow).where(RootRow.root.in_(roots))).all()


def set_progress(session: Session, root: str, blocks: int, size_bytes: int, now: datetime) -> None:
    """How far a retrieval has come."""
    _put(session, root, {"fetched_blocks": blocks, "fetched_bytes": size_bytes, "updated_at": now})


def set_size(session: Session, root: str, blocks: int, size_bytes: int, now: datetime) -> None:
    """The size of a DAG that is here."""
    whole = {"blocks": blocks, "size_bytes": size_bytes}
    _put(session, root, {**whole, "fetched_blocks": blocks, "fetched_bytes": size_bytes, "updated_at": now})


def _put(session: Session, root: str, values: dict[str, Any]) -> None:
    statement = dialect.insert(session, RootRow.__table__).values(root=root, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["root"], set_=values))
