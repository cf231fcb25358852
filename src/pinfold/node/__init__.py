"""The embedded node: store, unixfs and resolver behind one small object."""

from __future__ import annotations

from pinfold.node.node import Node

__all__ = ["Node"]
