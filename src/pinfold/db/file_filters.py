"""Which files a list has, and by what it is sorted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session, aliased

from pinfold.db.models import FileRow, FileTagRow, PinRow

MOST_TYPES: Final = 50
"""Content types of a family that are read one by one."""


class Sort(StrEnum):
    """By what files can be listed."""

    CREATED_AT = "created_at"
    NAME = "name"
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class FileFilter:
    """Which files; what is None or empty does not matter."""

    status: Sequence[str] = ()
    search: str = ""
    """A part of the name, letters' case aside."""
    content_type: str = ""
    """Whole, or a family such as ``image/*``."""
    tags: Sequence[str] = ()
    """All of them."""
    project_id: str | None = None

    @property
    def is_none(self) -> bool:
        """Whether every file is meant."""
        return self == FileFilter()

    @property
    def is_family(self) -> bool:
        """Whether a family of content types is asked for."""
        return self.content_type.endswith("/*")

    @property
    def is_search_only(self) -> bool:
        """Whether nothing but a part of the name is asked for."""
        return self == FileFilter(search=self.search)

    @property
    def is_by_status_only(self) -> bool:
        """Whether nothing but a status is asked for."""
        return bool(self.status) and self == FileFilter(status=self.status)


@dataclass(frozen=True, slots=True)
class After:
    """The last file of the page before: what it was sorted by, and its number."""

    value: datetime | str | int
    number: int


def filtered(statement: Select[Any], wanted: FileFilter, looked_for: ColumnElement[bool] | None = None) -> Select[Any]:
    """``statement`` of files that fit; of ``search`` it has what is ``looked_for``."""
    if wanted.status:
        statement = statement.join(PinRow, PinRow.id == FileRow.pin_id)
        statement = statement.where(PinRow.of_file, PinRow.status.in_(wanted.status))
    if looked_for is not None:
        statement = statement.where(looked_for)
    if wanted.is_family:
        statement = statement.where(_is_of_family(wanted))
    elif wanted.content_type:
        statement = statement.where(FileRow.content_type == wanted.content_type)
    if wanted.tags:
        statement = statement.where(FileRow.number.in_(tagged(wanted.tags)))
    if wanted.project_id is not None:
        statement = statement.where(FileRow.project_id == wanted.project_id)
    return statement


def _is_of_family(wanted: FileFilter) -> ColumnElement[bool]:
    family = wanted.content_type[:-1]
    return and_(FileRow.content_type >= family, FileRow.content_type < family[:-1] + "0")  # "0" comes after "/"


def tagged(tags: Sequence[str]) -> Select[Any]:
    """Numbers of the files that have all these tags."""
    first, *others = dict.fromkeys(tags)
    statement = select(FileTagRow.file_number).where(FileTagRow.tag == first).correlate(None)
    for tag in others:  # side by side, each one probe of the primary key: nested ones are refused as too deep
        other = aliased(FileTagRow)
        statement = statement.where(
            select(other.file_number).where(other.tag == tag, other.file_number == FileTagRow.file_number).exists()
        )
    return statement


def types_of(session: Session, wanted: FileFilter) -> list[str]:
    """The content types of a family, each found by one look into the index; of many ``MOST_TYPES`` and one more."""
    kinds: list[str] = []
    begin: ColumnElement[bool] = FileRow.content_type >= wanted.content_type[:-1]
    while len(kinds) <= MOST_TYPES:
        kind = session.scalar(select(func.min(FileRow.content_type)).where(begin, _is_of_family(wanted)))
        if kind is None:
            break
        kinds.append(kind)
        begin = FileRow.content_type > kind
    return kinds
