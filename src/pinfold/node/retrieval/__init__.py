"""Content that is not here comes by verified HTTP: trustless gateways, origins, and providers that routers name."""

from __future__ import annotations

from pinfold.node.retrieval.model import RetrievalProgress, RetrievalSettings, Retrieved
from pinfold.node.retrieval.retriever import Retriever

__all__ = ["RetrievalProgress", "RetrievalSettings", "Retrieved", "Retriever"]
