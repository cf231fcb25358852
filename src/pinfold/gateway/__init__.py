"""The gateway: content by path, for browsers and programs."""

from pinfold.gateway.application import create_gateway

__all__ = ["create_gateway"]
