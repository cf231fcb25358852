"""Queries about what is known of roots' content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Final, cast

from sqlalchemy import Insert, Table, bindparam, select
from sqlalchemy.orm import Session

from pinfold.db import dialect
from pinfold.db.models import RootRow

_TABLE: Final = cast(Table, RootRow.__table__)


def of_root(session: Session, root: str) -> RootRow | None:
    """What is known of one root's content; None where nobody has looked yet."""
    return session.get(RootRow, root)


def of_roots(session: Session, roots: Sequence[str]) -> Sequence[RootRow]:
    """What is known of these roots' content."""
    return session.scalars(select(RootRow).where(RootRow.root.in_(roots))).all()


def set_progress(session: Session, root: str, blocks: int, size_bytes: int, now: datetime) -> None:
    """How far a retrieval has come."""
    row = {"root": root, "fetched_blocks": blocks, "fetched_bytes": size_bytes, "updated_at": now}
    session.connection().execute(_upsert(dialect.is_sqlite(session), tuple(row)), row)


def set_sizes(session: Session, sizes: Mapping[str, tuple[int, int]], now: datetime) -> None:
    """The sizes of DAGs that are here: blocks and bytes."""
    rows = [
        {
            "root": root,
            "blocks": blocks,
            "size_bytes": size_bytes,
            "fetched_blocks": blocks,
            "fetched_bytes": size_bytes,
            "updated_at": now,
        }
        for root, (blocks, size_bytes) in sorted(sizes.items())  # in one order, so that nobody waits in a ring
    ]
    if rows:
        session.connection().execute(_upsert(dialect.is_sqlite(session), tuple(rows[0])), rows)


@cache
def _upsert(is_sqlite: bool, columns: tuple[str, ...]) -> Insert:
    """The statement that puts such rows in the place of those there are: making it costs more than carrying it out."""
    statement = dialect.insert_into(_TABLE, on_sqlite=is_sqlite)
    set_ = {name: statement.excluded[name] for name in columns if name != "root"}
    return statement.values({name: bindparam(name) for name in columns}).on_conflict_do_update(
        index_elements=[_TABLE.c.root], set_=set_
    )
