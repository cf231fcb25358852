"""The HTTP API."""

from pinfold.api.application import Services, create_api

__all__ = ["Services", "create_api"]
