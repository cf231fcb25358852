"""What runs later: reconciling pins with the engine."""

from pinfold.worker.loop import Worker

__all__ = ["Worker"]
