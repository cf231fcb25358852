"""Pinfold: a self-hosted IPFS pinning service.  ``pinfold.Node`` is the embedded node as a library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinfold.version import __version__

if TYPE_CHECKING:
    from pinfold.node import Node

__all__ = ["Node", "__version__"]


def __getattr__(name: str) -> object:
    # Loaded at first use, so that `pinfold --version` does not pay for the whole node.
    if name == "Node":
        from pinfold.node import Node

        return Node
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
