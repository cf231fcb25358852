"""The CAR-native block store: segments, catalogue, pins, gc, verify, rebuild."""

from __future__ import annotations

from pinfold.store.store import Store

__all__ = ["Store"]
