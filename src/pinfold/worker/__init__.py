"""What runs later: reconciling pins with the engine, delivering webhooks, upkeep."""

from pinfold.worker.loop import Worker
from pinfold.worker.upkeep import Periodic, Upkeep
from pinfold.worker.webhooks import WebhookWorker

__all__ = ["Periodic", "Upkeep", "WebhookWorker", "Worker"]
