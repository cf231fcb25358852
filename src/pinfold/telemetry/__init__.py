"""Log fields and metrics, declared once."""

from pinfold.telemetry.log import LogFile, configure, logger

__all__ = ["LogFile", "configure", "logger"]
