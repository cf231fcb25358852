"""The tables.

tokens            who may call the API
files             what was uploaded; each has the pin request that keeps it
pins              pin requests: what clients asked to keep; several may name one CID
replicas          per root and peer: what the engine said last
reconciliations   one row a root whose wish (pins) and reality (engine) may differ; a worker leases it
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pinfold.db.identifiers import new_id


class UTCDateTime(TypeDecorator[datetime]):
    """Times that are always UTC and always say so, on databases that forget the zone as well."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The time as UTC.  Raises: ValueError for one without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The stored time, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables; constraints get names that migrations can speak of."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UTCDateTime()}


class TokenRow(Base):
    """A bearer token; only its SHA-256 is here."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(Text)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[datetime]


class PinRow(Base):
    """One pin request."""

    __tablename__ = "pins"
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'pinning', 'pinned', 'failed')", name="status"),
        Index(None, "root"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    cid: Mapped[str] = mapped_column(Text)
    """As it was asked for."""
    root: Mapped[str] = mapped_column(Text)
    """As CIDv1, under which Qm… and bafy… of one DAG meet; replicas and reconciliations speak of this."""
    name: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(16))
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class FileRow(Base):
    """One uploaded file."""

    __tablename__ = "files"
    __table_args__ = (CheckConstraint("size_bytes >= 0", name="size_bytes"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    pin_id: Mapped[str] = mapped_column(ForeignKey("pins.id", ondelete="RESTRICT"), unique=True)
    cid: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    content_type: Mapped[str] = mapped_column(Text)
    profile: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class ReplicaRow(Base):
    """What one peer was last known to hold of one root; ``status`` is a tracker status."""

    __tablename__ = "replicas"

    root: Mapped[str] = mapped_column(Text, primary_key=True)
    peer_id: Mapped[str] = mapped_column(Text, primary_key=True)
    peer_name: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(32))
    error: Mapped[str | None] = mapped_column(Text)
    claimed_at: Mapped[datetime | None]
    seen_at: Mapped[datetime]


class ReconciliationRow(Base):
    """A root to look at: pin it where a pin request names it, unpin it where none does."""

    __tablename__ = "reconciliations"
    __table_args__ = (Index(None, "due_at"),)

    root: Mapped[str] = mapped_column(Text, primary_key=True)
    generation: Mapped[int]
    """Grows with every change of the wish, so that a worker sees that its outcome is of yesterday."""
    due_at: Mapped[datetime]
    attempts: Mapped[int]
    lease_owner: Mapped[str | None] = mapped_column(Text)
    lease_expires_at: Mapped[datetime | None]
