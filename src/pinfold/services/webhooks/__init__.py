"""Webhooks: organisations are told what happens, by signed requests to addresses of theirs."""

from pinfold.services.webhooks.jobs import Deliverer
from pinfold.services.webhooks.model import EventKind
from pinfold.services.webhooks.service import WebhooksService

__all__ = ["Deliverer", "EventKind", "WebhooksService"]
