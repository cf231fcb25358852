"""What runs later: events are carried to webhooks, at least once each.

1. A delivery that is due is leased: of several workers one has it, until its lease ends.
2. The event is posted.  A kill here, or before 3, lets the lease run out: it is posted again, with the same id.
3. What came of it is recorded.  Only an answer of 2xx, whole within the time limit, is a delivery.
4. What failed is due again, later each time, for about three days.  410 Gone, and failures without a success between
   them for days, disable the webhook.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx
from sqlalchemy.orm import Session

from pinfold.core.errors import AddressRefused
from pinfold.db import Database, webhooks
from pinfold.db.webhooks import NOBODY, UNSHARED, Leased, Passed, Shares
from pinfold.node.guarded_http import guarded_async_client
from pinfold.services.clock import Clock, utc_now
from pinfold.services.webhooks import message, records
from pinfold.services.webhooks.model import EventKind
from pinfold.telemetry import fields, logger, metrics

log = logger("webhooks")

TIMEOUT_S: Final = 15.0
LEASE: Final = timedelta(seconds=60)  # a worker that is alive has its answer, and has recorded it, long before
BACKOFF: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600, 24 * 3600)
)
"""Pauses between attempts: short ones for a restart of the receiver, long ones for a bad weekend."""
MAX_ANSWER_BYTES: Final = 16 << 10  # read so that the connection can be used again; nobody looks at it
_SHOWN_CHARACTERS: Final = 200  # of an answer that says what is wrong
_LONGEST_RETRY_AFTER: Final = timedelta(days=1)
_HTTP_GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt."""

    status: int | None
    """Of the answer; None where there was none."""
    error: str | None
    """None: delivered."""
    duration_ms: int
    retry_after: timedelta | None = None

    @property
    def was_unreachable(self) -> bool:
        """Whether no answer came, so that others would wait in vain too."""
        return self.status is None


class Deliverer:
    """Carries events to webhooks."""

    def __init__(
        self,
        database: Database,
        *,
        owner: str,
        allow_private: bool = False,
        disable_after: timedelta = timedelta(days=5),
        timeout_s: float = TIMEOUT_S,
        client: httpx.AsyncClient | None = None,
        clock: Clock = utc_now,
    ) -> None:
        """``owner`` names this process in leases; ``allow_private`` lets webhooks have any address.

        A ``client`` takes the place of the guarded one that is made otherwise; it is closed in the end.
        """
        self._database = database
        self._owner = owner
        self._disable_after = disable_after
        self._timeout_s = timeout_s
        self._clock = clock
        self._client = client or guarded_async_client(
            allow_private=allow_private, follow_redirects=False, timeout=httpx.Timeout(timeout_s)
        )

    async def close(self) -> None:
        """Close connections."""
        await self._client.aclose()

    async def lease(self, limit: int, passed: Passed = NOBODY, shares: Shares = UNSHARED) -> Sequence[Leased]:
        """Up to ``limit`` deliveries that are due, not ``passed`` over, and within the ``shares``."""
        now = self._clock()
        return await self._database.everybody.write(
            webhooks.lease, self._owner, limit, now, now + LEASE, passed, shares
        )

    async def seconds_to_next(self, passed: Passed = NOBODY) -> float | None:
        """How long until something is due that is not ``passed`` over; None where there is nothing."""
        return await self._database.everybody.read(webhooks.seconds_to_next, self._clock(), passed)

    async def release(self, leased: Leased) -> None:
        """Let go of a delivery whose attempt was broken off: it is due as before."""
        await self._database.everybody.write(webhooks.settle, self._owner, leased[0].id)

    async def carry_out(self, leased: Leased) -> Attempt:
        """Try a delivery once and record what came of it."""
        delivery, webhook, event = leased
        attempt = await self._post(leased)
        outcome = "delivered" if attempt.error is None else "failed"
        metrics.WEBHOOK_ATTEMPTS.labels(outcome).inc()
        log.info(
            "webhook attempt",
            **{
                fields.WEBHOOK_ID: webhook.id,
                fields.EVENT_ID: event.id,
                fields.STATUS: attempt.status,
                fields.ATTEMPTS: delivery.attempts + 1,
                fields.ERROR: attempt.error,
                fields.DURATION_MS: attempt.duration_ms,
            },
        )
        await self._database.everybody.write(self._record, leased, attempt, self._clock())
        return attempt

    # -- sending -----------------------------------------------------------------------------------------------------

    async def _post(self, leased: Leased) -> Attempt:
        _, webhook, event = leased
        began = time.monotonic()
        content = message.body(event.kind, event.created_at, event.payload)
        now = self._clock()
        keys = [webhook.secret]
        if webhook.previous_secret and webhook.previous_secret_until and webhook.previous_secret_until > now:
            keys.append(webhook.previous_secret)
        status, error, retry_after = None, None, None
        try:
            async with asyncio.timeout(self._timeout_s):  # over all of it: httpx's is for each step
                head = message.headers(event.id, now, content, keys)
                async with self._client.stream("POST", webhook.url, content=content, headers=head) as response:
                    said = await _read_some(response)
                    status = response.status_code
                    retry_after = _retry_after(response, now)
                    if not response.is_success:
                        error = f"HTTP {status}" + (f": {said}" if said else "")
        except TimeoutError:
            error = f"no whole answer within {self._timeout_s:g} s"
        except AddressRefused as exc:
            error = str(exc)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            error = f"{type(exc).__name__}: {exc}"[:_SHOWN_CHARACTERS]
        return Attempt(status, error, round((time.monotonic() - began) * 1000), retry_after)

    # -- recording ---------------------------------------------------------------------------------------------------

    def _record(self, session: Session, leased: Leased, attempt: Attempt, now: datetime) -> None:
        delivery, webhook, event = leased
        tries = delivery.attempts + 1
        values: dict[str, Any] = {
            "attempts": tries,
            "response_status": attempt.status,
            "duration_ms": attempt.duration_ms,
            "error": attempt.error,
        }
        if attempt.error is None:
            values |= {"status": "delivered", "finished_at": now}
        elif tries > len(BACKOFF) or event.kind == EventKind.WEBHOOK_TEST:  # of a test one wants to know at once
            values |= {"status": "failed", "finished_at": now}
        else:
            values["due_at"] = now + self._pause(tries, attempt)
        if not webhooks.settle(session, self._owner, delivery.id, **values):
            return  # the lease ran out: whoever has it now will tell
        if attempt.error is None:
            webhooks.set_failing_since(session, webhook.id, None)
            return
        since = webhooks.set_failing_since(session, webhook.id, now)
        if attempt.status == _HTTP_GONE:
            because = "its address answered 410 Gone"
        elif since is not None and now - since >= self._disable_after:
            because = f"every delivery has failed for {self._disable_after.days} days, lastly: {attempt.error}"
        else:
            return
        log.warning("webhook disabled", **{fields.WEBHOOK_ID: webhook.id, fields.ERROR: because})
        records.disable_for(session, webhook.organisation_id, webhook.id, because, now)

    def _pause(self, tries: int, attempt: Attempt) -> timedelta:
        # Not all at one time: what failed together would fail together again.
        pause = BACKOFF[tries - 1] * random.uniform(1.0, 1.1)
        return max(pause, attempt.retry_after or timedelta())


async def _read_some(response: httpx.Response) -> str:
    """The beginning of an answer, as text that a log can hold."""
    received = b""
    async for chunk in response.aiter_raw():
        received += chunk[: MAX_ANSWER_BYTES - len(received)]
        if len(received) >= MAX_ANSWER_BYTES:
            break
    text = received[: 4 * _SHOWN_CHARACTERS].decode("utf-8", "replace")
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:_SHOWN_CHARACTERS]


def _retry_after(response: httpx.Response, now: datetime) -> timedelta | None:
    """What a busy receiver asks for, within reason."""
    said = response.headers.get("retry-after", "").strip()
    if response.status_code not in (429, 503) or not said:
        return None
    if said.isascii() and said.isdigit():
        pause = timedelta(seconds=min(int(said[:9]), _LONGEST_RETRY_AFTER.total_seconds()))
    else:
        try:
            at = parsedate_to_datetime(said)
        except ValueError:
            return None
        if at.tzinfo is None:
            return None
        pause = at - now
    return max(timedelta(), min(pause, _LONGEST_RETRY_AFTER))
