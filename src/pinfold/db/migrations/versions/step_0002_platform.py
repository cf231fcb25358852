"""The platform: organisations and what is theirs.

What the first version kept of one owner becomes the first organisation's: rows are read, the old tables dropped, the
new ones made, and the rows written again.  Long, because a step keeps the tables as they were when it was written.
"""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
SEQUENTIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FIRST_TABLES = ("tokens", "pins", "files", "replicas", "reconciliations")
OLD_SCOPES = ["files:read", "files:write", "pins:read", "pins:write", "org:read", "org:admin"]


def upgrade() -> None:
    """Make the tables anew, with what was in the old ones."""
    old = {table: _rows(table) for table in FIRST_TABLES}
    for table in ("reconciliations", "replicas", "files", "pins", "tokens"):
        op.drop_table(table)
    _make_tables()
    _make_search()
    _let_audit_only_grow()
    _insert("plans", [_plan("unlimited"), _plan("free", 10, 100, 1 << 30, 1000, 1000)])
    if old["tokens"]:
        _carry_over(old)


def _rows(table: str) -> list[dict[str, Any]]:
    found = op.get_bind().execute(sa.text(f"SELECT * FROM {table}")).mappings()
    return [dict(row) for row in found]


def _insert(table: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        names = list(rows[0])
        statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"
        op.get_bind().execute(sa.text(statement), rows)


def _plan(
    name: str,
    uploads: int | None = None,
    requests: int | None = None,
    size: int | None = None,
    files: int | None = None,
    pins: int | None = None,
) -> dict[str, Any]:
    return {
        "name": name,
        "uploads_per_window": uploads,
        "requests_per_window": requests,
        "window_s": 900,
        "quota_bytes": size,
        "quota_files": files,
        "quota_pins": pins,
        "quota_requests_per_day": None,
    }


def _carry_over(old: dict[str, list[dict[str, Any]]]) -> None:
    owner = str(uuid.UUID(int=time.time_ns() // 1_000_000 << 80 | 7 << 76 | 2 << 62))
    # As both databases write times themselves, because rows of plain SQL pass no type of ours.
    now = str(datetime.now(UTC).replace(tzinfo=None))
    times = {"created_at": now, "updated_at": now}
    _insert(
        "organisations",
        [{"id": owner, "name": "default", "slug": "default", "plan": "unlimited", "status": "active", **times}],
    )
    own = {"organisation_id": owner}
    for row in old["tokens"]:
        more: dict[str, Any] = {"kind": "owner", "shown_prefix": "", "scopes": json.dumps(OLD_SCOPES)}
        _insert("tokens", [{**row, **own, **more}])
    of_files = {row["pin_id"] for row in old["files"]}
    roots = {row["id"]: row["root"] for row in old["pins"]}
    for row in sorted(old["pins"], key=lambda row: str(row["id"])):
        more = {
            "of_file": row["id"] in of_files,
            "replication_factor_min": 1,
            "replication_factor_max": 1,
            "priority": 1,
            "meta": "{}",
            "origins": "[]",
            "size_bytes": 0,
            "given_up": False,
        }
        _insert("pins", [{**row, **own, **more}])
    for row in sorted(old["files"], key=lambda row: str(row["id"])):
        more = {"root": roots[row["pin_id"]], "is_folder": False, "tags": "[]", "meta": "{}"}
        _insert("files", [{**row, **own, **more, "updated_at": row["created_at"]}])
    totals = {"files": len(old["files"]), "pins": len(old["pins"]) - len(of_files)}
    size = sum(row["size_bytes"] for row in old["files"])
    nothing = {"reserved_bytes": 0, "reserved_files": 0, "webhooks": 0, "audit_number": 0, "audit_hash": bytes(32)}
    newest = {"last_created_at": now}
    _insert("totals", [{**own, **totals, "logical_bytes": size, **nothing, **newest}])
    kinds: dict[str, list[int]] = {}
    for row in old["files"]:
        kinds.setdefault(row["content_type"], []).append(row["size_bytes"])
    _insert(
        "content_type_totals",
        [{**own, "content_type": kind, "files": len(sizes), "bytes": sum(sizes)} for kind, sizes in kinds.items()],
    )
    for row in old["replicas"]:
        _insert("replicas", [row])
    for row in old["reconciliations"]:
        _insert("reconciliations", [{**row, "lane": 0, "priority": 1}])


def _make_search() -> None:
    """What looking for a part of a name takes: trigrams, each database in its own way."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        for table in ("files", "pins"):
            op.execute(f"CREATE INDEX ix_{table}_name_trigrams ON {table} USING gin (name gin_trgm_ops)")
        return
    # Each organisation's names are one range of positions, so that a search reads no others.
    op.execute(
        "CREATE TABLE organisations_search"
        " (number INTEGER PRIMARY KEY AUTOINCREMENT, organisation_id VARCHAR(36) NOT NULL UNIQUE)"
    )
    op.execute(
        "CREATE TRIGGER organisations_search_insert AFTER INSERT ON organisations BEGIN"
        " INSERT INTO organisations_search(organisation_id) VALUES (new.id); END"
    )
    for table, kind in (("files", "0"), ("pins", "{row}.of_file")):
        search = f"{table}_search"
        position = (
            "(((SELECT number FROM organisations_search WHERE organisation_id = {row}.organisation_id) * 2"
            f" + {kind}) << 40) + {{row}}.number"
        )
        old, new = position.format(row="old"), position.format(row="new")
        op.execute(f"CREATE VIRTUAL TABLE {search} USING fts5(name, content='', tokenize='trigram')")
        gone = f"INSERT INTO {search}({search}, rowid, name) VALUES ('delete', {old}, old.name);"
        come = f"INSERT INTO {search}(rowid, name) VALUES ({new}, new.name);"
        op.execute(f"CREATE TRIGGER {search}_insert AFTER INSERT ON {table} BEGIN {come} END")
        op.execute(f"CREATE TRIGGER {search}_delete AFTER DELETE ON {table} BEGIN {gone} END")
        op.execute(f"CREATE TRIGGER {search}_update AFTER UPDATE OF name ON {table} BEGIN {gone} {come} END")


def _let_audit_only_grow() -> None:
    """Have the database itself refuse to change or remove a row of the audit log."""
    refusal = "the audit log only grows"
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{refusal}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER audit_log_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_log_refuses_{verb.lower()} BEFORE {verb} ON audit_log "
            f"BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
        )


def downgrade() -> None:
    """Not possible: one owner's tables cannot hold what many organisations have."""
    raise NotImplementedError("restore the backup from before the upgrade")


def _make_tables() -> None:
    op.create_table(
        "fingerprints",
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("perceptual_hash", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("root", name=op.f("pk_fingerprints")),
    )
    op.create_table(
        "plans",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("uploads_per_window", sa.Integer(), nullable=True),
        sa.Column("requests_per_window", sa.Integer(), nullable=True),
        sa.Column("window_s", sa.Integer(), nullable=False),
        sa.Column("quota_bytes", sa.BigInteger(), nullable=True),
        sa.Column("quota_files", sa.BigInteger(), nullable=True),
        sa.Column("quota_pins", sa.BigInteger(), nullable=True),
        sa.Column("quota_requests_per_day", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_plans")),
    )
    op.create_table(
        "reconciliations",
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", TIME, nullable=True),
        sa.CheckConstraint("lane IN (0, 1)", name=op.f("ck_reconciliations_lane")),
        sa.PrimaryKeyConstraint("root", name=op.f("pk_reconciliations")),
    )
    op.create_index(op.f("ix_reconciliations_lane_priority_due_at"), "reconciliations", ["lane", "priority", "due_at"])
    op.create_index(op.f("ix_reconciliations_lease_expires_at"), "reconciliations", ["lease_expires_at"])
    op.create_table(
        "replicas",
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("peer_id", sa.Text(), nullable=False),
        sa.Column("peer_name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("claimed_at", TIME, nullable=True),
        sa.Column("verified_at", TIME, nullable=True),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("root", "peer_id", name=op.f("pk_replicas")),
    )
    op.create_table(
        "periodic_jobs",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", TIME, nullable=True),
        sa.Column("succeeded_at", TIME, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_periodic_jobs")),
    )
    op.create_table(
        "data_folders",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_folders")),
    )
    op.create_table(
        "root_traffic",
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("egress_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("root", "day", name=op.f("pk_root_traffic")),
    )
    op.create_index(op.f("ix_root_traffic_day"), "root_traffic", ["day"])
    op.create_table(
        "roots",
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("blocks", sa.BigInteger(), nullable=True),
        sa.Column("fetched_blocks", sa.BigInteger(), nullable=False),
        sa.Column("fetched_bytes", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("root", name=op.f("pk_roots")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("is_administrator", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("failed_sign_ins", sa.Integer(), nullable=False),
        sa.Column("locked_until", TIME, nullable=True),
        sa.Column("last_sign_in_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("status IN ('active', 'disabled')", name=op.f("ck_users_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "organisations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("plan", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("quota_bytes", sa.BigInteger(), nullable=True),
        sa.Column("quota_files", sa.BigInteger(), nullable=True),
        sa.Column("quota_pins", sa.BigInteger(), nullable=True),
        sa.Column("quota_requests_per_day", sa.BigInteger(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("status IN ('active', 'suspended')", name=op.f("ck_organisations_status")),
        sa.ForeignKeyConstraint(["plan"], ["plans.name"], name=op.f("fk_organisations_plan"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisations")),
        sa.UniqueConstraint("slug", name=op.f("uq_organisations_slug")),
    )
    op.create_table(
        "audit_log",
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor_kind", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.String(length=36), nullable=True),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_audit_log_organisation_id"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "number", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "background_jobs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("argument", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.CheckConstraint("status IN ('queued', 'running', 'done', 'failed')", name=op.f("ck_background_jobs_status")),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_background_jobs_organisation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_background_jobs")),
    )
    op.create_index(op.f("ix_background_jobs_status_due_at"), "background_jobs", ["status", "due_at"])
    op.create_table(
        "content_type_totals",
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_content_type_totals_organisation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("organisation_id", "content_type", name=op.f("pk_content_type_totals")),
    )
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("invited_by", sa.String(length=36), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("accepted_at", TIME, nullable=True),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name=op.f("ck_invitations_role")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_invitations_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    op.create_index(op.f("ix_invitations_organisation_id_created_at"), "invitations", ["organisation_id", "created_at"])
    op.create_table(
        "memberships",
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name=op.f("ck_memberships_role")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_memberships_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_memberships_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("organisation_id", "user_id", name=op.f("pk_memberships")),
    )
    op.create_index(op.f("ix_memberships_user_id"), "memberships", ["user_id"])
    op.create_table(
        "pins",
        sa.Column("number", SEQUENTIAL, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("of_file", sa.Boolean(), nullable=False),
        sa.Column("cid", sa.Text(), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("tier", sa.String(length=32), nullable=True),
        sa.Column("replication_factor_min", sa.Integer(), nullable=False),
        sa.Column("replication_factor_max", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("meta", sa.JSON(), nullable=False),
        sa.Column("origins", sa.JSON(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("given_up", sa.Boolean(), nullable=False),
        sa.Column("replaces_root", sa.Text(), nullable=True),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.CheckConstraint("status IN ('queued', 'pinning', 'pinned', 'failed')", name=op.f("ck_pins_status")),
        sa.CheckConstraint("priority IN (0, 1, 2)", name=op.f("ck_pins_priority")),
        sa.CheckConstraint(
            "replication_factor_min >= 1 AND replication_factor_max >= replication_factor_min",
            name=op.f("ck_pins_replication"),
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_pins_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_pins")),
        sa.UniqueConstraint("id", name=op.f("uq_pins_id")),
    )
    op.create_index(
        "ix_pins_status",
        "pins",
        ["status"],
        unique=False,
        sqlite_where=sa.text("status <> 'pinned'"),
        postgresql_where=sa.text("status <> 'pinned'"),
    )
    op.create_index(
        "ix_pins_expires_at",
        "pins",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("expires_at IS NOT NULL"),
        postgresql_where=sa.text("expires_at IS NOT NULL"),
    )
    op.create_index(
        "ix_pins_replaces_root",
        "pins",
        ["replaces_root"],
        unique=False,
        sqlite_where=sa.text("replaces_root IS NOT NULL"),
        postgresql_where=sa.text("replaces_root IS NOT NULL"),
    )
    op.create_index(op.f("ix_pins_organisation_id_name_created_at"), "pins", ["organisation_id", "name", "created_at"])
    op.create_index(
        op.f("ix_pins_organisation_id_of_file_created_at"), "pins", ["organisation_id", "of_file", "created_at"]
    )
    op.create_index(
        op.f("ix_pins_organisation_id_of_file_status_created_at"),
        "pins",
        ["organisation_id", "of_file", "status", "created_at"],
    )
    op.create_index(op.f("ix_pins_organisation_id_root_created_at"), "pins", ["organisation_id", "root", "created_at"])
    op.create_index(op.f("ix_pins_root_status"), "pins", ["root", "status"])
    op.create_table(
        "pin_meta",
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("pin_number", SEQUENTIAL, nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_pin_meta_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["pin_number"], ["pins.number"], name=op.f("fk_pin_meta_pin_number"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "digest", "created_at", name=op.f("pk_pin_meta")),
    )
    op.create_index(op.f("ix_pin_meta_pin_number"), "pin_meta", ["pin_number"])
    op.create_table(
        "projects",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("team", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.CheckConstraint("status IN ('planned', 'active', 'paused', 'archived')", name=op.f("ck_projects_status")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_projects_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
    )
    op.create_index("uq_projects_organisation_id_name", "projects", ["organisation_id", "name"], unique=True)
    op.create_table(
        "reservations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_reservations_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservations")),
    )
    op.create_index(op.f("ix_reservations_expires_at"), "reservations", ["expires_at"])
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("shown_prefix", sa.String(length=16), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("uses_left", sa.Integer(), nullable=True),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.CheckConstraint("kind IN ('owner', 'api', 'session')", name=op.f("ck_tokens_kind")),
        sa.CheckConstraint("uses_left IS NULL OR uses_left >= 0", name=op.f("ck_tokens_uses_left")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_tokens_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tokens_token_hash")),
    )
    op.create_index(op.f("ix_tokens_organisation_id_created_at"), "tokens", ["organisation_id", "created_at"])
    op.create_index(op.f("ix_tokens_user_id"), "tokens", ["user_id"])
    op.create_table(
        "totals",
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("pins", sa.BigInteger(), nullable=False),
        sa.Column("logical_bytes", sa.BigInteger(), nullable=False),
        sa.Column("reserved_bytes", sa.BigInteger(), nullable=False),
        sa.Column("reserved_files", sa.BigInteger(), nullable=False),
        sa.Column("last_created_at", TIME, nullable=True),
        sa.Column("webhooks", sa.Integer(), nullable=False),
        sa.Column("audit_number", sa.BigInteger(), nullable=False),
        sa.Column("audit_hash", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint("files >= 0 AND pins >= 0 AND logical_bytes >= 0", name=op.f("ck_totals_counters")),
        sa.CheckConstraint("reserved_bytes >= 0 AND reserved_files >= 0", name=op.f("ck_totals_reserved")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_totals_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", name=op.f("pk_totals")),
    )
    op.create_table(
        "tus_uploads",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("token_id", sa.String(length=36), nullable=True),
        sa.Column("length_bytes", sa.BigInteger(), nullable=False),
        sa.Column("offset_bytes", sa.BigInteger(), nullable=False),
        sa.Column("meta", sa.JSON(), nullable=False),
        sa.Column("reservation_id", sa.String(length=36), nullable=True),
        sa.Column("file_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_tus_uploads_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tus_uploads")),
    )
    op.create_index(op.f("ix_tus_uploads_expires_at"), "tus_uploads", ["expires_at"])
    op.create_table(
        "usage_days",
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("logical_bytes", sa.BigInteger(), nullable=False),
        sa.Column("unique_bytes", sa.BigInteger(), nullable=False),
        sa.Column("shared_bytes", sa.BigInteger(), nullable=False),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("pins", sa.BigInteger(), nullable=False),
        sa.Column("uploads", sa.BigInteger(), nullable=False),
        sa.Column("uploaded_bytes", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("gateway_requests", sa.BigInteger(), nullable=False),
        sa.Column("gateway_egress_bytes", sa.BigInteger(), nullable=False),
        sa.Column("measured_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_usage_days_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "day", name=op.f("pk_usage_days")),
    )
    op.create_table(
        "webhook_events",
        sa.Column("number", SEQUENTIAL, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_webhook_events_organisation_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_webhook_events")),
        sa.UniqueConstraint("id", name=op.f("uq_webhook_events_id")),
    )
    op.create_index(op.f("ix_webhook_events_organisation_id_number"), "webhook_events", ["organisation_id", "number"])
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("secret", sa.LargeBinary(length=64), nullable=False),
        sa.Column("previous_secret", sa.LargeBinary(length=64), nullable=True),
        sa.Column("previous_secret_until", TIME, nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("disabled_because", sa.Text(), nullable=True),
        sa.Column("failing_since", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.CheckConstraint("status IN ('active', 'disabled')", name=op.f("ck_webhooks_status")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_webhooks_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index(op.f("ix_webhooks_organisation_id"), "webhooks", ["organisation_id"])
    op.create_table(
        "files",
        sa.Column("number", SEQUENTIAL, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("pin_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=36), nullable=True),
        sa.Column("cid", sa.Text(), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("is_folder", sa.Boolean(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("meta", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.String(length=36), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.CheckConstraint("size_bytes >= 0", name=op.f("ck_files_size_bytes")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_files_organisation_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["pin_id"], ["pins.id"], name=op.f("fk_files_pin_id"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_files_project_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_files")),
        sa.UniqueConstraint("id", name=op.f("uq_files_id")),
        sa.UniqueConstraint("pin_id", name=op.f("uq_files_pin_id")),
    )
    op.create_index(
        op.f("ix_files_organisation_id_content_type_number"), "files", ["organisation_id", "content_type", "number"]
    )
    op.create_index(op.f("ix_files_organisation_id_created_at"), "files", ["organisation_id", "created_at"])
    op.create_index(op.f("ix_files_organisation_id_name_number"), "files", ["organisation_id", "name", "number"])
    op.create_index(op.f("ix_files_organisation_id_root"), "files", ["organisation_id", "root"])
    op.create_index(
        op.f("ix_files_organisation_id_size_bytes_number"), "files", ["organisation_id", "size_bytes", "number"]
    )
    op.create_index(op.f("ix_files_root"), "files", ["root"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("number", SEQUENTIAL, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("webhook_id", sa.String(length=36), nullable=False),
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_expires_at", TIME, nullable=True),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("finished_at", TIME, nullable=True),
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.CheckConstraint("status IN ('queued', 'delivered', 'failed')", name=op.f("ck_webhook_deliveries_status")),
        sa.ForeignKeyConstraint(
            ["event_id"], ["webhook_events.id"], name=op.f("fk_webhook_deliveries_event_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisations.id"],
            name=op.f("fk_webhook_deliveries_organisation_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_webhook_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("id", name=op.f("uq_webhook_deliveries_id")),
    )
    op.create_index(op.f("ix_webhook_deliveries_event_id"), "webhook_deliveries", ["event_id"])
    op.create_index(op.f("ix_webhook_deliveries_status_due_at"), "webhook_deliveries", ["status", "due_at"])
    op.create_index(op.f("ix_webhook_deliveries_webhook_id_number"), "webhook_deliveries", ["webhook_id", "number"])
    op.create_table(
        "file_tags",
        sa.Column("organisation_id", sa.String(length=36), nullable=False),
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("file_number", SEQUENTIAL, nullable=False),
        sa.ForeignKeyConstraint(
            ["file_number"], ["files.number"], name=op.f("fk_file_tags_file_number"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_file_tags_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("organisation_id", "tag", "file_number", name=op.f("pk_file_tags")),
    )
    op.create_index(op.f("ix_file_tags_file_number"), "file_tags", ["file_number"])
