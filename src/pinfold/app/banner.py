"""What a person sees when everything runs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from pinfold.app.doors import Door
from pinfold.app.roles import EVERY_ROLE, Role
from pinfold.node.gateway_http import gateway_url, shown
from pinfold.settings import Settings
from pinfold.settings.values import Address
from pinfold.version import __version__


def banner(
    settings: Settings,
    roles: frozenset[Role],
    addresses: Mapping[Door, Address],
    *,
    token: str | None = None,
    token_file: Path | None = None,
) -> str:
    """Addresses, the token or its file where it is new, and a first command to try where there is an API."""
    what = "Pinfold" if roles == EVERY_ROLE else f"Pinfold's {' and '.join(sorted(roles))}"
    lines = [f"{what} {__version__} is up.", ""]
    if Door.GATEWAY in addresses:
        lines.append(f"  gateway  {_shown(addresses[Door.GATEWAY])}")
    if Door.API in addresses:
        lines.append(f"  API      {_shown(addresses[Door.API], 'described at /docs')}")
    if Door.STATUS in addresses:
        lines.append(f"  status   {_shown(addresses[Door.STATUS], '/ping, /health, /ready, /metrics')}")
    lines.append(f"  data     {settings.data_dir}")
    if Role.WORKER in roles:
        lines.append(f"  sources  {_sources(settings)}")
    lines.append("")
    if token is not None:
        lines += ["  Your token, shown this once (only its hash is kept):", "", f"    {token}", ""]
    if token_file is not None:
        lines += [
            f"  Your token is in {token_file}, which only you can read: keep it elsewhere and delete the file.",
            "",
        ]
    if Door.API in addresses:
        export = token or "pf_…   # the token that the first start made"
        if token_file is not None:
            export = f'"$(cat {shlex.quote(str(token_file))})"'
        upload = f"http://{reachable(addresses[Door.API])}/api/v1/files/upload"
        lines += [
            "  Try:",
            f"    export TOKEN={export}",
            f'    curl -H "Authorization: Bearer $TOKEN" -F file=@README.md {upload}',
            "",
        ]
    return "\n".join([*lines, "  Ctrl-C stops it.", ""])


def _sources(settings: Settings) -> str:
    """Where content is fetched from that is pinned by its CID and not here."""
    named = [
        f"{', '.join(map(_without_credentials, urls))} (PINFOLD_{setting.upper()})"
        for setting, urls in (("fetch_from", settings.fetch_from), ("fetch_routers", settings.fetch_routers))
        if urls
    ]
    if not named:
        return "none for pins by CID, apart from their origins: set PINFOLD_FETCH_ROUTERS or PINFOLD_FETCH_FROM"
    return f"pins by CID are fetched by {' and '.join(named)}"


def _without_credentials(url: str) -> str:
    return shown(gateway_url(url))


def _shown(address: Address, note: str = "") -> str:
    """The address as a link for this machine, and that it listens at more where it does."""
    near = reachable(address)
    notes = [note] if note else []
    if near != address:
        notes.append(f"on every address of this machine: {address}")
    return f"http://{near}" + (f"   ({'; '.join(notes)})" if notes else "")


def reachable(address: Address) -> Address:
    """An address that a program on this machine can call, where the server listens at every one."""
    return Address({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host), address.port)
