"""Organisations, their people and tokens: who may call, and what for."""

from pinfold.services.accounts.model import Caller, Rates, Role, Scope, operator
from pinfold.services.accounts.secret import new_token
from pinfold.services.accounts.service import AccountsService

__all__ = ["AccountsService", "Caller", "Rates", "Role", "Scope", "new_token", "operator"]
