"""An event as it is sent, signed so that its receiver knows who sent it and that it is fresh.

Source:  Standard Webhooks 1.0 (github.com/standard-webhooks/standard-webhooks).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pinfold.version import __version__


def body(kind: str, at: datetime, data: dict[str, Any]) -> bytes:
    """What is posted: ``type``, ``timestamp`` and ``data``, as JSON; for one event always the same bytes."""
    timestamp = at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    message = {"type": kind, "timestamp": timestamp, "data": data}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), default=str).encode()


def headers(event_id: str, sent_at: datetime, content: bytes, secrets: Sequence[bytes]) -> dict[str, str]:
    """The headers of one attempt.  ``webhook-id`` is the event's on each of them: by it receivers know repetitions."""
    timestamp = str(int(sent_at.timestamp()))
    return {
        "content-type": "application/json",
        "user-agent": f"Pinfold/{__version__}",
        # No compressed answers: what is read of one is bounded, and so should be what becomes of it.
        "accept-encoding": "identity",
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(secret, event_id, timestamp, content) for secret in secrets),
    }


def _signature(secret: bytes, event_id: str, timestamp: str, content: bytes) -> str:
    signed = b".".join((event_id.encode(), timestamp.encode(), content))
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode("ascii")
