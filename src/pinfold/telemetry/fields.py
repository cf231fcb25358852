"""The names under which things stand in log lines, each declared once."""

from __future__ import annotations

from typing import Final

ROOM: Final = "room"
REQUEST_ID: Final = "request_id"
METHOD: Final = "method"
PATH: Final = "path"
STATUS: Final = "status"
DURATION_MS: Final = "duration_ms"
SENT_BYTES: Final = "sent_bytes"
CID: Final = "cid"
FILE_ID: Final = "file_id"
SIZE_BYTES: Final = "size_bytes"
FILES: Final = "files"
ATTEMPTS: Final = "attempts"
ERROR: Final = "error"
CODE: Final = "code"
SETTING: Final = "setting"
ROUTE: Final = "route"
ADDRESS: Final = "address"
ORGANISATION_ID: Final = "organisation_id"
USER_ID: Final = "user_id"
WEBHOOK_ID: Final = "webhook_id"
EVENT_ID: Final = "event_id"
JOB: Final = "job"
LOOP: Final = "loop"
CONNECTIONS: Final = "connections"

SECRET: Final = frozenset(
    {"authorization", "cookie", "database_url", "password", "redis_url", "secret", "set-cookie", "token"}
)
"""Fields whose values are never written."""
