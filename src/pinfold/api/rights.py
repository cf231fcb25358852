"""What right each endpoint asks for, told in its description: read from the dependency that asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from pinfold.api.auth import Needs, NeedsUnlessSignedIn, authenticate, scheme


def tell(description: dict[str, Any], routes: Iterable[BaseRoute]) -> None:
    """Add to each operation of an OpenAPI description what a token must be good for."""
    for route in routes:
        if isinstance(route, APIRoute) and route.include_in_schema and (said := sentence(route)):
            for method in route.methods or ():
                operation = description["paths"][route.path_format][method.lower()]
                operation["description"] = f"{operation['description']}\n\n{said}"


def sentence(route: APIRoute) -> str:
    """What a caller needs; empty where that is a setting's to say."""
    calls = list(_calls(route.dependant))
    for call in calls:
        if isinstance(call, NeedsUnlessSignedIn):
            return f"Needs the scope `{call.scope}`, unless somebody is signed in."
        if isinstance(call, Needs):
            return f"Needs the scope `{call.scope}`."
    if authenticate in calls:
        return "Needs a token, and no scope."
    return "" if scheme in calls else "Needs no token."


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any] | None]:
    for one in dependant.dependencies:
        yield one.call
        yield from _calls(one)
