"""The node in this process as an engine of one peer."""

from pinfold.engine.embedded.engine import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
