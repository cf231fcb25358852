"""How many rows a filter finds, without looking at all of many."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import func, inspect, select
from sqlalchemy.orm import Session

MOST: Final = 10_000
"""Rows that are counted; of more it is said that there are at least so many."""


def count_up_to(session: Session, filtered: Any, most: int = MOST) -> tuple[int, bool]:
    """How many rows the SELECT ``filtered`` finds, and whether that is all: beyond ``most`` nobody counts.

    Its first entity is what is counted.
    """
    # The entity's key rather than a bare 1: it is by the entity that a session knows whose rows it may count.
    entity = filtered.column_descriptions[0]["entity"]
    mapper = inspect(entity).mapper
    key = [getattr(entity, mapper.get_property_by_column(column).key) for column in mapper.primary_key]
    some = filtered.with_only_columns(*key, maintain_column_froms=True).order_by(None).limit(most + 1).subquery()
    found = session.scalar(select(func.count()).select_from(some)) or 0
    return min(found, most), found <= most
