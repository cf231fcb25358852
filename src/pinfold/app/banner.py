"""What a person sees when everything runs."""

from __future__ import annotations

from pinfold.settings import Settings
from pinfold.settings.values import Address
from pinfold.version import __version__


def banner(settings: Settings, *, api: Address, gateway: Address, token: str | None) -> str:
    """Addresses, the token where it is new, and a first command to try."""
    lines = [
        f"Pinfold {__version__} is up.",
        "",
        f"  gateway  http://{reachable(gateway)}",
        f"  API      http://{reachable(api)}   (described at /docs)",
        f"  data     {settings.data_dir}",
        "",
    ]
    if token is not None:
        lines += ["  Your token, shown this once (only its hash is kept):", "", f"    {token}", ""]
    lines += [
        "  Try:",
        f"    export TOKEN={token or 'pf_…   # the token that the first start printed'}",
        f'    curl -H "Authorization: Bearer $TOKEN" -F file=@README.md http://{reachable(api)}/api/v1/files/upload',
        "",
        "  Ctrl-C stops it.",
        "",
    ]
    return "\n".join(lines)


def reachable(address: Address) -> Address:
    """An address that a program on this machine can call, where the server listens at every one."""
    return Address({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host), address.port)
