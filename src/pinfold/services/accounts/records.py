"""What accounts are told as: people, organisations, tokens, projects and plans, without their secrets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Generic, Self, TypeVar

from pinfold.db.paging import Page

R = TypeVar("R")


class _FromRow:
    """A record whose fields are a row's."""

    @classmethod
    def of(cls, row: Any) -> Self:
        """The record of a row."""
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]  # all who inherit it are dataclasses
        return cls(**{name: getattr(row, name) for name in names})


@dataclass(frozen=True, slots=True)
class Listed(Generic[R]):
    """One page of records."""

    records: list[R]
    total: int
    total_is_exact: bool
    has_more: bool

    @classmethod
    def of(cls, page: Page[Any], make: Callable[[Any], R]) -> Listed[R]:
        """The page of rows, each made a record."""
        return cls([make(row) for row in page.rows], page.total, page.total_is_exact, page.has_more)


@dataclass(frozen=True, slots=True)
class Plan(_FromRow):
    """Limits and quotas by name; None is no limit."""

    name: str
    uploads_per_window: int | None = None
    requests_per_window: int | None = None
    window_s: int = 900
    quota_bytes: int | None = None
    quota_files: int | None = None
    quota_pins: int | None = None
    quota_requests_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Organisation(_FromRow):
    """A tenant; quotas of its own win over its plan's."""

    id: str
    name: str
    slug: str
    plan: str
    status: str
    quota_bytes: int | None
    quota_files: int | None
    quota_pins: int | None
    quota_requests_per_day: int | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class User(_FromRow):
    """A person."""

    id: str
    email: str
    name: str
    is_administrator: bool
    status: str
    locked_until: datetime | None
    last_sign_in_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """A person's place in an organisation."""

    user_id: str
    email: str
    name: str
    role: str
    status: str
    created_at: datetime

    @classmethod
    def of_rows(cls, rows: Sequence[Any]) -> Member:
        """The member of a membership and its user."""
        membership, user = rows
        return cls(user.id, user.email, user.name, membership.role, user.status, membership.created_at)


@dataclass(frozen=True, slots=True)
class Invitation(_FromRow):
    """A way in that nobody has taken yet."""

    id: str
    email: str
    role: str
    invited_by: str | None
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Token(_FromRow):
    """A token, without itself."""

    id: str
    user_id: str | None
    kind: str
    name: str
    shown_prefix: str
    scopes: list[str]
    expires_at: datetime | None
    uses_left: int | None
    last_used_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Project(_FromRow):
    """Work inside an organisation."""

    id: str
    name: str
    description: str
    status: str
    starts_on: date | None
    team: list[str]
    created_at: datetime
    updated_at: datetime
