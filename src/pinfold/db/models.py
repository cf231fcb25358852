"""The tables; in one file, because they refer to each other and are read side by side.

What belongs to an organisation carries its id and is only reached through a session that is bound to it (``scope``):

organisations     the tenants, each with a plan
 ├ totals         one row each: counters, what is reserved, the head of the audit chain; writers lock this row first
 ├ memberships    which user has which role;  invitations, to become one
 ├ projects       work inside an organisation, with a team
 ├ tokens         who may call the API, and what for
 ├ files          what was uploaded; each has the pin request that keeps it;  file_tags for the filter by tag
 ├ pins           pin requests: what clients asked to keep; several may name one root;  pin_meta for the filter by meta
 ├ audit_log      every change, each row with the hash of the one before
 ├ webhooks       where events go;  webhook_events and webhook_deliveries are the outbox
 ├ usage_days     per day what was kept and done
 ├ reservations   room taken from a quota before the bytes are here
 ├ tus_uploads    resumable uploads on their way
 └ background_jobs  what was asked for and takes long, with its result

What belongs to nobody, because content does not:

plans             limits and quotas by name
users             people; one may be a member of several organisations
sign_in_addresses  per user and address: wrong passwords, and whether they signed in from there
replicas          per root and peer: what the engine said last
reconciliations   one row a root whose wish (pins) and reality (engine) may differ; a worker leases it
roots             what is known of a root's content: its size, and how far a retrieval has come
root_traffic      per root and day what the gateway served
fingerprints      per root of an image: its perceptual hash
periodic_jobs     when upkeep is due next, and who does it now
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    false,
    text,
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


Sequential = BigInteger().with_variant(Integer, "sqlite")
"""Numbers that the database gives in the order of insertion; an SQLite row id has to be called INTEGER."""


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
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UTCDateTime(),
        date: Date(),
        dict[str, Any]: JSON(),
        dict[str, str]: JSON(),
        list[str]: JSON(),
    }


def _id() -> Mapped[str]:
    return mapped_column(String(36), primary_key=True, default=new_id)


class OwnedByTenant:
    """A row of one organisation: a session shows and changes only those of the organisation that it is bound to."""

    organisation_id: Mapped[str] = mapped_column(String(36), ForeignKey("organisations.id", ondelete="CASCADE"))


# -- people and rights -----------------------------------------------------------------------------------------------


class PlanRow(Base):
    """Limits and quotas; null is no limit."""

    __tablename__ = "plans"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    uploads_per_window: Mapped[int | None]
    requests_per_window: Mapped[int | None]
    window_s: Mapped[int] = mapped_column(default=900)
    quota_bytes: Mapped[int | None] = mapped_column(BigInteger)
    quota_files: Mapped[int | None] = mapped_column(BigInteger)
    quota_pins: Mapped[int | None] = mapped_column(BigInteger)
    quota_requests_per_day: Mapped[int | None] = mapped_column(BigInteger)


class OrganisationRow(Base):
    """A tenant.  Its quotas, where set, win over its plan's."""

    __tablename__ = "organisations"
    __table_args__ = (CheckConstraint("status IN ('active', 'suspended')", name="status"),)

    id: Mapped[str] = _id()
    name: Mapped[str] = mapped_column(Text)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    plan: Mapped[str] = mapped_column(ForeignKey("plans.name", ondelete="RESTRICT"))
    status: Mapped[str] = mapped_column(String(16), default="active")
    quota_bytes: Mapped[int | None] = mapped_column(BigInteger)
    quota_files: Mapped[int | None] = mapped_column(BigInteger)
    quota_pins: Mapped[int | None] = mapped_column(BigInteger)
    quota_requests_per_day: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class TotalsRow(Base, OwnedByTenant):
    """One row an organisation; whoever changes something of it locks this row first, so changes have one order."""

    __tablename__ = "totals"
    __table_args__ = (
        CheckConstraint("files >= 0 AND pins >= 0 AND logical_bytes >= 0", name="counters"),
        CheckConstraint("reserved_bytes >= 0 AND reserved_files >= 0", name="reserved"),
    )

    organisation_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("organisations.id", ondelete="CASCADE"), primary_key=True
    )
    files: Mapped[int] = mapped_column(BigInteger, default=0)
    pins: Mapped[int] = mapped_column(BigInteger, default=0)
    """Pin requests that no file made."""
    logical_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    """Bytes of files, the content of each root once, and of the DAGs of pins, each request counted."""
    reserved_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    reserved_files: Mapped[int] = mapped_column(BigInteger, default=0)
    last_created_at: Mapped[datetime | None]
    """The newest ``created_at`` given out: no two rows of an organisation share one, so a page can end at a time."""
    webhooks: Mapped[int] = mapped_column(default=0)
    """Active webhooks: where there are none, nobody looks for one that wants to know of an event."""
    audit_number: Mapped[int] = mapped_column(BigInteger, default=0)
    audit_hash: Mapped[bytes] = mapped_column(LargeBinary(32), default=bytes(32))


class UserRow(Base):
    """A person."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("status IN ('active', 'disabled')", name="status"),)

    id: Mapped[str] = _id()
    email: Mapped[str] = mapped_column(String(254), unique=True)
    """In lower case."""
    name: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str | None] = mapped_column(Text)
    is_administrator: Mapped[bool] = mapped_column(default=False)
    """Of the whole server, not of an organisation."""
    status: Mapped[str] = mapped_column(String(16), default="active")
    locked_until: Mapped[datetime | None]
    """Until then no password is tried from addresses that the user has not signed in from."""
    last_sign_in_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class SignInAddressRow(Base):
    """An address from which a user signed in, or from which a password of theirs was tried."""

    __tablename__ = "sign_in_addresses"

    user_id: Mapped[str] = mapped_column(String(36), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    network: Mapped[str] = mapped_column(String(64), primary_key=True)
    """The address, or its /64 with IPv6."""
    failures: Mapped[int] = mapped_column(default=0)
    failed_at: Mapped[datetime | None]
    blocked_until: Mapped[datetime | None]
    signed_in_at: Mapped[datetime | None]


class MembershipRow(Base, OwnedByTenant):
    """A user's role in an organisation."""

    __tablename__ = "memberships"
    __table_args__ = (
        CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name="role"),
        Index(None, "user_id"),
    )

    organisation_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("organisations.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]


class InvitationRow(Base, OwnedByTenant):
    """A way in for somebody who has none yet."""

    __tablename__ = "invitations"
    __table_args__ = (
        CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name="role"),
        Index(None, "organisation_id", "created_at"),
    )

    id: Mapped[str] = _id()
    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[str] = mapped_column(String(16))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    invited_by: Mapped[str | None] = mapped_column(String(36))
    makes_user: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether it may make a user of this address where there is none: it comes from who looks after the server."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]


class ProjectRow(Base, OwnedByTenant):
    """Work inside an organisation."""

    __tablename__ = "projects"
    __table_args__ = (
        CheckConstraint("status IN ('planned', 'active', 'paused', 'archived')", name="status"),
        Index("uq_projects_organisation_id_name", "organisation_id", "name", unique=True),
    )

    id: Mapped[str] = _id()
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[str] = mapped_column(String(16), default="active")
    starts_on: Mapped[date | None]
    team: Mapped[list[str]] = mapped_column(default=list)
    """Ids of users."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class TokenRow(Base, OwnedByTenant):
    """A bearer token; only its SHA-256 is here."""

    __tablename__ = "tokens"
    __table_args__ = (
        CheckConstraint("kind IN ('owner', 'api', 'session')", name="kind"),
        CheckConstraint("uses_left IS NULL OR uses_left >= 0", name="uses_left"),
        Index(None, "organisation_id", "created_at"),
        Index(None, "user_id"),
    )

    id: Mapped[str] = _id()
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(16), default="api")
    name: Mapped[str] = mapped_column(Text)
    shown_prefix: Mapped[str] = mapped_column(String(16), default="")
    """Its first characters, by which people know it again."""
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    scopes: Mapped[list[str]] = mapped_column(default=list)
    expires_at: Mapped[datetime | None]
    uses_left: Mapped[int | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class AuditRow(Base, OwnedByTenant):
    """One change: who, what, from where.  Never changed, never removed."""

    __tablename__ = "audit_log"

    organisation_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("organisations.id", ondelete="RESTRICT"), primary_key=True
    )
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor_kind: Mapped[str] = mapped_column(String(16))
    """``user``, ``token`` or ``system``."""
    actor_id: Mapped[str | None] = mapped_column(String(36))
    actor_name: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(64))
    """Noun and verb, as ``file.created``."""
    target: Mapped[str] = mapped_column(Text)
    """The id of what was changed."""
    address: Mapped[str] = mapped_column(String(45))
    request_id: Mapped[str] = mapped_column(String(64))
    detail: Mapped[str] = mapped_column(Text)
    """JSON, as it was hashed."""
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


# -- files and pins --------------------------------------------------------------------------------------------------


class PinRow(Base, OwnedByTenant):
    """One pin request."""

    __tablename__ = "pins"
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'pinning', 'pinned', 'failed')", name="status"),
        CheckConstraint("priority IN (0, 1, 2)", name="priority"),
        CheckConstraint(
            "replication_factor_min >= 1 AND replication_factor_max >= replication_factor_min", name="replication"
        ),
        Index(None, "root", "status"),
        Index(None, "organisation_id", "of_file", "created_at"),
        Index(None, "organisation_id", "of_file", "status", "created_at"),
        Index(None, "organisation_id", "root", "created_at"),
        Index(None, "organisation_id", "name", "created_at"),
        Index(
            "ix_pins_expires_at",
            "expires_at",
            sqlite_where=text("expires_at IS NOT NULL"),
            postgresql_where=text("expires_at IS NOT NULL"),
        ),
        Index(  # there are few of them: counting those is counting all
            "ix_pins_status",
            "status",
            sqlite_where=text("status <> 'pinned'"),
            postgresql_where=text("status <> 'pinned'"),
        ),
        Index(
            "ix_pins_replaces_root",
            "replaces_root",
            sqlite_where=text("replaces_root IS NOT NULL"),
            postgresql_where=text("replaces_root IS NOT NULL"),
        ),
    )

    number: Mapped[int] = mapped_column(Sequential, primary_key=True)
    """In the order of insertion; the search tables speak of it."""
    id: Mapped[str] = mapped_column(String(36), unique=True, default=new_id)
    of_file: Mapped[bool] = mapped_column(default=False)
    """Made by an upload; the file shows it, lists of pins do not."""
    cid: Mapped[str] = mapped_column(Text)
    """As it was asked for."""
    root: Mapped[str] = mapped_column(Text)
    """As CIDv1, under which Qm… and bafy… of one DAG meet; replicas and reconciliations speak of this."""
    name: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(16))
    error: Mapped[str | None] = mapped_column(Text)
    tier: Mapped[str | None] = mapped_column(String(32))
    replication_factor_min: Mapped[int] = mapped_column(default=1)
    replication_factor_max: Mapped[int] = mapped_column(default=1)
    priority: Mapped[int] = mapped_column(default=1)
    """0 low, 1 normal, 2 high."""
    meta: Mapped[dict[str, str]] = mapped_column(default=dict)
    origins: Mapped[list[str]] = mapped_column(default=list)
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    """What it counts in ``totals.logical_bytes``: the DAG's size, once that is known; 0 for one that a file made."""
    given_up: Mapped[bool] = mapped_column(default=False)
    """Failed for a reason that no further attempt mends, so nothing is kept for it until somebody asks again."""
    replaces_root: Mapped[str | None] = mapped_column(Text)
    """A root that is kept until this request is pinned or given up: it took the place of a request for that one."""
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class PinMetaRow(Base, OwnedByTenant):
    """One entry of a pin's ``meta``, to filter by."""

    __tablename__ = "pin_meta"

    organisation_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("organisations.id", ondelete="CASCADE"), primary_key=True
    )
    digest: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    """Of key and value, which may be long."""
    created_at: Mapped[datetime] = mapped_column(primary_key=True)
    """The pin's, so that the newest come first without looking at the pins."""
    pin_number: Mapped[int] = mapped_column(Sequential, ForeignKey("pins.number", ondelete="CASCADE"), index=True)


class FileRow(Base, OwnedByTenant):
    """One uploaded file or folder."""

    __tablename__ = "files"
    __table_args__ = (
        CheckConstraint("size_bytes >= 0", name="size_bytes"),
        Index(None, "organisation_id", "created_at"),
        Index(None, "organisation_id", "name", "number"),
        Index(None, "organisation_id", "size_bytes", "number"),
        Index(None, "organisation_id", "content_type", "number"),
        Index(None, "organisation_id", "root"),
        Index(None, "root"),
    )

    number: Mapped[int] = mapped_column(Sequential, primary_key=True)
    """In the order of insertion; the search tables speak of it."""
    id: Mapped[str] = mapped_column(String(36), unique=True, default=new_id)
    pin_id: Mapped[str] = mapped_column(ForeignKey("pins.id", ondelete="RESTRICT"), unique=True)
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="SET NULL"))
    cid: Mapped[str] = mapped_column(Text)
    root: Mapped[str] = mapped_column(Text)
    """The CID as CIDv1."""
    name: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    """Bytes of content."""
    block_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    """Bytes of the blocks that the root reaches, each block once: what the content counts in ``totals``."""
    content_type: Mapped[str] = mapped_column(Text)
    is_folder: Mapped[bool] = mapped_column(default=False)
    profile: Mapped[str] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(default=list)
    meta: Mapped[dict[str, str]] = mapped_column(default=dict)
    created_by: Mapped[str | None] = mapped_column(String(36))
    """The token."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class FileTagRow(Base, OwnedByTenant):
    """One tag of one file."""

    __tablename__ = "file_tags"

    organisation_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("organisations.id", ondelete="CASCADE"), primary_key=True
    )
    tag: Mapped[str] = mapped_column(String(64), primary_key=True)
    file_number: Mapped[int] = mapped_column(
        Sequential, ForeignKey("files.number", ondelete="CASCADE"), primary_key=True, index=True
    )


class ContentTypeTotalsRow(Base, OwnedByTenant):
    """Files of an organisation by content type, counted as they come and go."""

    __tablename__ = "content_type_totals"

    organisation_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("organisations.id", ondelete="CASCADE"), primary_key=True
    )
    content_type: Mapped[str] = mapped_column(Text, primary_key=True)
    files: Mapped[int] = mapped_column(BigInteger, default=0)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)


class RootRow(Base):
    """What is known of a root's content."""

    __tablename__ = "roots"

    root: Mapped[str] = mapped_column(Text, primary_key=True)
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Payload bytes of the whole DAG; null until it was here once."""
    blocks: Mapped[int | None] = mapped_column(BigInteger)
    fetched_blocks: Mapped[int] = mapped_column(BigInteger, default=0)
    """How far a retrieval that runs, or ran, has come."""
    fetched_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    updated_at: Mapped[datetime]


class ReplicaRow(Base):
    """What one peer was last known to hold of one root; ``status`` is a tracker status."""

    __tablename__ = "replicas"

    root: Mapped[str] = mapped_column(Text, primary_key=True)
    peer_id: Mapped[str] = mapped_column(Text, primary_key=True)
    peer_name: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(32))
    error: Mapped[str | None] = mapped_column(Text)
    claimed_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]
    seen_at: Mapped[datetime]


class ReconciliationRow(Base):
    """A root to look at: pin it where a pin request names it, unpin it where none does."""

    __tablename__ = "reconciliations"
    __table_args__ = (
        CheckConstraint("lane IN (0, 1)", name="lane"),
        Index(None, "lane", "priority", "due_at"),
        Index(None, "lane", "organisation_id", "priority", "due_at"),
        Index(None, "lease_expires_at"),
    )

    root: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation_id: Mapped[str] = mapped_column(String(36), default="", server_default="")
    """In whose turn it is looked at: that of whoever asked last, of the several that may name it; empty for nobody's.

    It is no tenant's row, and goes on when that organisation does not."""
    generation: Mapped[int]
    """Grows with every change of the wish, so that a worker sees that its outcome is of yesterday."""
    lane: Mapped[int] = mapped_column(default=0)
    """0 to look at what is here; 1 to fetch what is not, which takes long and must not hold up the others."""
    priority: Mapped[int] = mapped_column(default=1)
    """The highest of the requests'."""
    due_at: Mapped[datetime]
    attempts: Mapped[int]
    lease_owner: Mapped[str | None] = mapped_column(Text)
    lease_expires_at: Mapped[datetime | None]


class ReservationRow(Base, OwnedByTenant):
    """Room that an upload under way has taken from its organisation's quota."""

    __tablename__ = "reservations"
    __table_args__ = (Index(None, "expires_at"),)

    id: Mapped[str] = _id()
    bytes: Mapped[int] = mapped_column(BigInteger)
    files: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime]
    """Whoever holds it moves this on; past it the holder is dead and upkeep gives the room back."""


class TusUploadRow(Base, OwnedByTenant):
    """A resumable upload; its bytes lie in the data folder under its id until it is complete."""

    __tablename__ = "tus_uploads"
    __table_args__ = (Index(None, "expires_at"),)

    id: Mapped[str] = _id()
    token_id: Mapped[str | None] = mapped_column(String(36))
    length_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Null until the client says it."""
    offset_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    is_partial: Mapped[bool] = mapped_column(default=False, server_default=false())
    """A part of a file, which only becomes one together with others, by a final upload."""
    meta: Mapped[dict[str, str]] = mapped_column(default=dict)
    """As the client sent it."""
    reservation_id: Mapped[str | None] = mapped_column(String(36))
    file_id: Mapped[str | None] = mapped_column(String(36))
    """The file that it became."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class FingerprintRow(Base):
    """What a picture looks like, so that alike ones are found."""

    __tablename__ = "fingerprints"

    root: Mapped[str] = mapped_column(Text, primary_key=True)
    perceptual_hash: Mapped[int | None] = mapped_column(BigInteger)
    """64 bits, as a signed number; null where the content is no picture that can be read."""


class BackgroundJobRow(Base, OwnedByTenant):
    """Something that was asked for and takes long."""

    __tablename__ = "background_jobs"
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'running', 'done', 'failed')", name="status"),
        Index(None, "status", "due_at"),
    )

    id: Mapped[str] = _id()
    kind: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16), default="queued")
    argument: Mapped[dict[str, Any]] = mapped_column(default=dict)
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime]
    lease_owner: Mapped[str | None] = mapped_column(Text)
    lease_expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


# -- webhooks and usage ----------------------------------------------------------------------------------------------


class WebhookRow(Base, OwnedByTenant):
    """Where an organisation's events go."""

    __tablename__ = "webhooks"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'disabled')", name="status"),
        Index(None, "organisation_id"),
    )

    id: Mapped[str] = _id()
    url: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, default="")
    events: Mapped[list[str]] = mapped_column(default=list)
    """Kinds that it wants; empty for all."""
    secret: Mapped[bytes] = mapped_column(LargeBinary(64))
    """The key of the signatures: it has to be known to sign, so it cannot be hashed."""
    previous_secret: Mapped[bytes | None] = mapped_column(LargeBinary(64))
    """The key before a rotation, with which events are signed as well for a while."""
    previous_secret_until: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(String(16), default="active")
    disabled_because: Mapped[str | None] = mapped_column(Text)
    failing_since: Mapped[datetime | None]
    """When the attempts began to fail that failed without one success between them."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class WebhookEventRow(Base, OwnedByTenant):
    """Something that happened, written with the change itself."""

    __tablename__ = "webhook_events"
    __table_args__ = (Index(None, "organisation_id", "number"),)

    number: Mapped[int] = mapped_column(Sequential, primary_key=True)
    id: Mapped[str] = mapped_column(String(36), unique=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(64))
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime]


class WebhookDeliveryRow(Base, OwnedByTenant):
    """One event on its way to one webhook."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'delivered', 'failed')", name="status"),
        Index(None, "status", "due_at"),
        Index(None, "status", "webhook_id", "due_at"),
        Index(None, "webhook_id", "number"),
        Index(None, "event_id"),
    )

    number: Mapped[int] = mapped_column(Sequential, primary_key=True)
    id: Mapped[str] = mapped_column(String(36), unique=True, default=new_id)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    event_id: Mapped[str] = mapped_column(ForeignKey("webhook_events.id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(String(16), default="queued")
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime]
    lease_owner: Mapped[str | None] = mapped_column(Text)
    lease_expires_at: Mapped[datetime | None]
    response_status: Mapped[int | None]
    duration_ms: Mapped[int | None]
    """Of the last attempt."""
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class UsageDayRow(Base, OwnedByTenant):
    """What an organisation kept and did on one day (UTC)."""

    __tablename__ = "usage_days"

    organisation_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("organisations.id", ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[date] = mapped_column(primary_key=True)
    logical_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    unique_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    shared_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    files: Mapped[int] = mapped_column(BigInteger, default=0)
    pins: Mapped[int] = mapped_column(BigInteger, default=0)
    uploads: Mapped[int] = mapped_column(BigInteger, default=0)
    uploaded_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    requests: Mapped[int] = mapped_column(BigInteger, default=0)
    gateway_requests: Mapped[int] = mapped_column(BigInteger, default=0)
    gateway_egress_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    measured_at: Mapped[datetime | None]
    """When ``unique_bytes`` and ``shared_bytes`` were counted."""


class RootTrafficRow(Base):
    """What the gateway served below one root on one day (UTC)."""

    __tablename__ = "root_traffic"
    __table_args__ = (Index(None, "day"),)

    root: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger, default=0)
    egress_bytes: Mapped[int] = mapped_column(BigInteger, default=0)


class DataFolderRow(Base):
    """The data folder that this database belongs to: one row, from the first start on."""

    __tablename__ = "data_folders"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)


class PeriodicJobRow(Base):
    """Work that is done again and again, by one process at a time."""

    __tablename__ = "periodic_jobs"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    due_at: Mapped[datetime]
    lease_owner: Mapped[str | None] = mapped_column(Text)
    lease_expires_at: Mapped[datetime | None]
    succeeded_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    """Why it failed, the last time."""
