"""What is asked for and takes long: queued, done by a worker, its result kept for a while."""

from pinfold.services.background.service import BackgroundService, Job

__all__ = ["BackgroundService", "Job"]
