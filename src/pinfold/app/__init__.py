"""The only place that chooses implementations."""

from pinfold.app.up import run_up

__all__ = ["run_up"]
