"""The query of a request, held against what its endpoint declares.

A name that an endpoint does not know is refused: a misspelt filter would filter nothing, and a script that deletes what
it lists would delete everything.  So is a second value of a parameter that takes one.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin
from urllib.parse import parse_qsl

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.types import Scope

from pinfold.api.pinning import form, query
from pinfold.core.errors import InvalidInput

_MAX_PARAMETERS: Final = 200  # a hundred CIDs and every filter fit
_MAX_SHOWN: Final = 40  # characters of a name that a message repeats

Sent = dict[str, list[str]]


class QueryNames:
    """What one route takes in its query."""

    def __init__(self, route: APIRoute) -> None:
        self._takes_several = {
            field.alias: takes_several(field.field_info.annotation) for field in _query_params(route.dependant)
        }
        self._has_meta = route.path.startswith(form.PREFIX) and query.META in self._takes_several

    def read(self, scope: Scope) -> Sent:
        """The values of each parameter.  Raises: InvalidInput."""
        text: str = scope["query_string"].decode("latin-1")
        if self._has_meta and query.META in text:
            text = query.with_meta_as_json(text)
            scope["query_string"] = text.encode("latin-1")
        sent: Sent = {}
        try:
            for name, value in parse_qsl(text, True, max_num_fields=_MAX_PARAMETERS):
                sent.setdefault(name, []).append(value)
        except ValueError:
            raise InvalidInput(f"the query has more than {_MAX_PARAMETERS} parameters") from None
        for name, values in sent.items():
            several = self._takes_several.get(name)
            if several is None:
                raise self._unknown(name, scope)
            if not several and len(values) > 1:
                raise InvalidInput(f"the query parameter {name} takes one value, and {len(values)} were sent")
        return sent

    def _unknown(self, name: str, scope: Scope) -> InvalidInput:
        known = sorted(self._takes_several)
        near = get_close_matches(name.lower(), known, n=1)
        hint = f"It takes {', '.join(known)}." if known else "It takes none."
        return InvalidInput(
            f"there is no query parameter {name[:_MAX_SHOWN]!r} at {scope['path'][:200]}",
            hint=f"Did you mean {near[0]}? {hint}" if near else hint,
        )


def _query_params(dependant: Dependant) -> Iterator[Any]:
    yield from dependant.query_params
    for one in dependant.dependencies:
        yield from _query_params(one)


def takes_several(annotation: Any) -> bool:
    """Whether a parameter of that type may be repeated."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return any(takes_several(one) for one in get_args(annotation))
    return takes_several(get_args(annotation)[0]) if origin is Annotated else origin is list
