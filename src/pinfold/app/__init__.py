"""The only place that chooses implementations."""

from pinfold.app.roles import EVERY_ROLE, Role
from pinfold.app.serve import run

__all__ = ["EVERY_ROLE", "Role", "run"]
