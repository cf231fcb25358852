"""Queries for finding files that are like one, and the fingerprints of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from pinfold.db import dialect
from pinfold.db.models import FileRow, FingerprintRow

_IN_ONE_STATEMENT = 500


class Candidate(NamedTuple):
    """What is compared of a file."""

    number: int
    id: str
    cid: str
    root: str
    name: str
    size_bytes: int
    content_type: str


_COLUMNS = (
    FileRow.number,
    FileRow.id,
    FileRow.cid,
    FileRow.root,
    FileRow.name,
    FileRow.size_bytes,
    FileRow.content_type,
)


def candidate(session: Session, file_id: str) -> Candidate | None:
    """One file."""
    row = session.execute(select(*_COLUMNS).where(FileRow.id == file_id)).first()
    return None if row is None else Candidate(*row)


def newest_before(session: Session, number: int | None, limit: int) -> list[Candidate]:
    """Up to ``limit`` files, the newest first, below ``number`` where one is given."""
    statement = select(*_COLUMNS).order_by(FileRow.created_at.desc()).limit(limit)
    if number is not None:
        before = select(FileRow.created_at).where(FileRow.number == number).scalar_subquery()
        statement = statement.where(FileRow.created_at < before)
    return [Candidate(*row) for row in session.execute(statement)]


def fingerprints(session: Session, roots: Sequence[str]) -> dict[str, int | None]:
    """What is known of the roots: a perceptual hash, or None where the content is no picture."""
    found: dict[str, int | None] = {}
    for start in range(0, len(roots), _IN_ONE_STATEMENT):
        rows = session.execute(
            select(FingerprintRow.root, FingerprintRow.perceptual_hash).where(
                FingerprintRow.root.in_(roots[start : start + _IN_ONE_STATEMENT])
            )
        )
        found.update((root, value) for root, value in rows)
    return found


def put_fingerprints(session: Session, values: Mapping[str, int | None]) -> None:
    """Remember what was computed; the same content always gives the same."""
    for root, value in sorted(values.items()):
        row = dialect.insert(session, FingerprintRow).values(root=root, perceptual_hash=value)
        session.execute(row.on_conflict_do_nothing(index_elements=[FingerprintRow.root]))
