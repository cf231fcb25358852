"""Who may call: today one owner with one token."""

from pinfold.services.accounts.model import Caller
from pinfold.services.accounts.service import AccountsService

__all__ = ["AccountsService", "Caller"]
