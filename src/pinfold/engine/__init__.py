"""Where pins are carried out."""

from pinfold.engine.interface import PLAINLY, Content, Engine, Peer, PeerStatus, PinOptions, TrackerStatus

__all__ = ["PLAINLY", "Content", "Engine", "Peer", "PeerStatus", "PinOptions", "TrackerStatus"]
