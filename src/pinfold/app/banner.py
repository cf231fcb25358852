"""What a person sees when everything runs."""

from __future__ import annotations

from collections.abc import Mapping

from pinfold.app.doors import Door
from pinfold.app.roles import EVERY_ROLE, Role
from pinfold.settings import Settings
from pinfold.settings.values import Address
from pinfold.version import __version__


def banner(settings: Settings, roles: frozenset[Role], addresses: Mapping[Door, Address], *, token: str | None) -> str:
    """Addresses, the token where it is new, and a first command to try where there is an API."""
    what = "Pinfold" if roles == EVERY_ROLE else f"Pinfold's {' and '.join(sorted(roles))}"
    lines = [f"{what} {__version__} is up.", ""]
    if Door.GATEWAY in addresses:
        lines.append(f"  gateway  http://{reachable(addresses[Door.GATEWAY])}")
    if Door.API in addresses:
        lines.append(f"  API      http://{reachable(addresses[Door.API])}   (described at /docs)")
    if Door.STATUS in addresses:
        lines.append(f"  status   http://{reachable(addresses[Door.STATUS])}   (/ping, /health, /ready, /metrics)")
    lines += [f"  data     {settings.data_dir}", ""]
    if token is not None:
        lines += ["  Your token, shown this once (only its hash is kept):", "", f"    {token}", ""]
    if Door.API in addresses:
        upload = f"http://{reachable(addresses[Door.API])}/api/v1/files/upload"
        lines += [
            "  Try:",
            f"    export TOKEN={token or 'pf_…   # the token that the first start printed'}",
            f'    curl -H "Authorization: Bearer $TOKEN" -F file=@README.md {upload}',
            "",
        ]
    return "\n".join([*lines, "  Ctrl-C stops it.", ""])


def reachable(address: Address) -> Address:
    """An address that a program on this machine can call, where the server listens at every one."""
    return Address({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host), address.port)
