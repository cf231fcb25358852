"""Where pins are carried out."""

from pinfold.engine.interface import Engine, Peer, PeerStatus, TrackerStatus

__all__ = ["Engine", "Peer", "PeerStatus", "TrackerStatus"]
