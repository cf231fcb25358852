"""Types of usage: a day, everything so far, and what deleting would give back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, on a day or ever."""

    uploads: int
    uploaded_bytes: int
    requests: int
    gateway_requests: int
    gateway_egress_bytes: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept."""

    files: int
    pins: int
    logical_bytes: int
    unique_bytes: int | None
    """Bytes of blocks that only this organisation's pins reach; None: not measured yet."""
    shared_bytes: int | None
    """Bytes of blocks that pins of others reach as well; None: not measured yet."""
    measured_at: datetime | None
    """When the last two were measured; None: not yet."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day (UTC): how it stood at its end, or stands now, and what was done."""

    day: date
    kept: Kept
    done: Done


@dataclass(frozen=True, slots=True)
class Limits:
    """A quota, and what of it uploads under way have taken; None is no limit."""

    bytes: int | None
    files: int | None
    pins: int | None
    requests_per_day: int | None
    reserved_bytes: int
    reserved_files: int


@dataclass(frozen=True, slots=True)
class Total:
    """How an organisation stands."""

    kept: Kept
    done: Done
    limits: Limits


@dataclass(frozen=True, slots=True)
class WouldFree:
    """What deleting something would give back."""

    logical_bytes: int
    """To the quota."""
    freed_bytes: int
    """Payload of blocks that the organisation needs no longer; the disk keeps those that others need."""
    freed_blocks: int
    roots: int
    """Different contents among what was named."""
    roots_still_needed: int
    """Those that another pin of the organisation keeps."""
