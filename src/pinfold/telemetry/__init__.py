"""Log fields, declared once."""

from pinfold.telemetry.log import configure, logger

__all__ = ["configure", "logger"]
