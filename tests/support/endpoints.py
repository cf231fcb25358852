"""Every endpoint of the API, and the rule that it declares about who may call it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from pinfold.api.application import build
from pinfold.api.auth import Needs, authenticate
from pinfold.services.accounts import Scope


@dataclass(frozen=True)
class Endpoint:
    """One method at one path."""

    method: str
    path: str
    needs: Scope | None
    """The scope without which nobody gets in."""
    authenticates: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def endpoints() -> list[Endpoint]:
    """All of them, those that the description leaves out included."""
    api = build(None, max_request_bytes=0)
    found = []
    for route in _routes(api.routes):
        calls = list(_calls(route.dependant))
        needs = [call.scope for call in calls if isinstance(call, Needs)]
        assert len(needs) <= 1, f"{route.path} has several rules"
        for method in sorted(route.methods or ()):
            found.append(Endpoint(method, route.path, needs[0] if needs else None, authenticate in calls))
    assert found
    return found


def _routes(routes: Iterable[Any]) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif (inside := getattr(route, "original_router", None)) is not None:
            yield from _routes(inside.routes)
        else:
            assert route.path == "/openapi.json", f"a route of an unknown kind: {route!r}"


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any] | None]:
    for one in dependant.dependencies:
        yield one.call
        yield from _calls(one)
