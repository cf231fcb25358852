"""Log fields and metrics, declared once."""

from pinfold.telemetry.log import configure, logger

__all__ = ["configure", "logger"]
