"""What runs later: reconciling pins with the engine, delivering webhooks, jobs that were asked for, upkeep."""

from pinfold.worker.background import BackgroundRunner
from pinfold.worker.loop import Worker
from pinfold.worker.upkeep import Periodic, Upkeep
from pinfold.worker.webhooks import WebhookWorker

__all__ = ["BackgroundRunner", "Periodic", "Upkeep", "WebhookWorker", "Worker"]
