"""Where a process listens: each door by the setting that says at which address."""

from __future__ import annotations

from enum import StrEnum

from pinfold.app.roles import Role
from pinfold.core.errors import InvalidSetting
from pinfold.settings import Settings
from pinfold.settings.values import Address


class Door(StrEnum):
    """One thing that a process answers at an address of its own."""

    GATEWAY = "gateway_address"
    API = "api_address"
    STATUS = "status_address"
    """How this process is; of any role, where the setting is not empty."""


def doors(settings: Settings, roles: frozenset[Role]) -> dict[Door, Address]:
    """The doors of a process, in the order in which they are opened.

    Raises:  InvalidSetting, where two of them are to be at one address.
    """
    asked: dict[Door, Address] = {}
    if Role.GATEWAY in roles:
        asked[Door.GATEWAY] = settings.gateway_bind
    if Role.API in roles:
        asked[Door.API] = settings.api_bind
    if settings.status_bind is not None:
        asked[Door.STATUS] = settings.status_bind
    for door, address in asked.items():
        for other in asked:
            if other is not door and asked[other] == address and address.port != 0:
                raise InvalidSetting(f"{door} and {other} are both {address}", hint="Give each a port of its own.")
    return asked
