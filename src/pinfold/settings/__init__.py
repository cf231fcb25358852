"""One typed object from flags, PINFOLD_* and pinfold.toml."""

from pinfold.settings.load import load, unknown_in_environment
from pinfold.settings.model import Settings

__all__ = ["Settings", "load", "unknown_in_environment"]
