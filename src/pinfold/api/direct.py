"""Plain requests, taken to their endpoints without the framework's general machinery.

The framework looks a route up twice and takes every parameter that an endpoint declares, sent or not, through a dozen
calls, which is most of the time of a small answer.  Here the same declarations are read once.  A request that is as it
should be goes straight to its endpoint; whatever is not (a wrong parameter, another kind of body, an unknown path) goes
to the framework, which knows how to say what is wrong, and so does any endpoint that declares more than is known here.

Whoever calls is let in, or refused, before a body is read: the framework would read and parse it first, for anybody.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from fastapi import FastAPI, params
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Message, Receive, Scope, Send

from pinfold.api import auth, bodies, errors, reading
from pinfold.api.envelope import made
from pinfold.api.limits import limit_address
from pinfold.api.pace import LEAST_BYTES_PER_S
from pinfold.api.queries import QueryNames, Sent, takes_several
from pinfold.core.errors import InvalidInput, PinfoldError, UploadStalled


class _Unusual(Exception):
    """A request that the framework is to answer."""


class _Parameter(NamedTuple):
    """What an endpoint declares of one parameter."""

    name: str
    validate: Callable[..., tuple[Any, list[Any]]]
    takes_several: bool
    is_required: bool


class _Endpoint:
    """One route, its declarations read."""

    def __init__(self, route: APIRoute, dependant: Dependant) -> None:
        assert dependant.call is not None
        self._call: Callable[..., Any] = dependant.call
        self._status = route.status_code or 200
        self._request_name = dependant.request_param_name
        self._caller: tuple[str, auth.Rule | None] | None = None
        self._is_anonymous = False
        for given in dependant.dependencies:
            if given.call is limit_address:
                self._is_anonymous = True
                self._nothing_for = given.name
            else:
                self._caller = (given.name or "", given.call if isinstance(given.call, auth.RULES) else None)
        self._path = {field.alias: _parameter(field) for field in dependant.path_params}
        self._query = {field.alias: _parameter(field) for field in dependant.query_params}
        self._required = [alias for alias, parameter in self._query.items() if parameter.is_required]
        # Read once: none of them is changed by anybody.
        defaults = [*dependant.query_params, *dependant.body_params]
        self._defaults = {field.name: field.get_default() for field in defaults if not field.field_info.is_required()}
        self.body = _parameter(dependant.body_params[0]) if dependant.body_params else None

    @classmethod
    def of(cls, route: APIRoute) -> _Endpoint | None:
        """What the route declares; None where that is more than is known here."""
        dependant = route.dependant
        others = (
            dependant.header_params,
            dependant.cookie_params,
            dependant.response_param_name,
            dependant.background_tasks_param_name,
            dependant.security_scopes_param_name,
            dependant.http_connection_param_name,
            dependant.websocket_param_name,
        )
        if any(others) or dependant.call is None or len(dependant.dependencies) > 1 or len(dependant.body_params) > 1:
            return None
        for given in dependant.dependencies:
            is_known = given.call in (auth.authenticate, limit_address) or isinstance(given.call, auth.RULES)
            if not is_known or not given.name:
                return None
        if any(isinstance(field.field_info, params.Form) for field in dependant.body_params):
            return None
        return cls(route, dependant)

    def read(self, sent: Sent, matched: Mapping[str, str]) -> dict[str, Any]:
        """The arguments that path and query give.  Raises: _Unusual."""
        arguments = self._defaults.copy()
        for alias, text in matched.items():
            _take(arguments, self._path[alias], text)
        for alias, values in sent.items():
            parameter = self._query[alias]
            _take(arguments, parameter, values if parameter.takes_several else values[0])
        if any(alias not in sent for alias in self._required):
            raise _Unusual
        return arguments

    async def admit(self, request: Request, arguments: dict[str, Any]) -> None:
        """Let the caller in, as an argument.  Raises: what keeps them out."""
        if self._caller is not None:
            name, rule = self._caller
            caller = await auth.authenticate(request, await auth.scheme(request))
            arguments[name] = caller if rule is None else await rule(caller)
        elif self._is_anonymous:
            await limit_address(request)
            arguments[self._nothing_for or ""] = None

    async def answer(self, request: Request, arguments: dict[str, Any]) -> Response:
        """What the endpoint answers.  Raises: what it raises."""
        if self._request_name is not None:
            arguments[self._request_name] = request
        result = await self._call(**arguments)
        if isinstance(result, Response):
            return result
        if isinstance(result, BaseModel):
            return made(result, self._status)
        if result is None:
            return Response(status_code=self._status)
        raise TypeError(f"{self._call.__qualname__} answers neither a model nor a response")


class _Entry(NamedTuple):
    """One route; ``endpoint`` is None where the framework is to answer it."""

    route: APIRoute
    query: QueryNames
    endpoint: _Endpoint | None


_NOTHING_SENT: Final[Sent] = {}


class Direct:
    """An ASGI application in front of the framework's.

    Holds what is true of all endpoints alike, whoever answers them: a path that is spelled out wins over one with a
    parameter for every method, HEAD is possible where GET is, and a query has only parameters that are declared.
    """

    def __init__(self, api: FastAPI, routes: Iterable[BaseRoute]) -> None:
        """``routes`` are those of ``api``, in its order."""
        self._api = api
        self._reading = reading.Reading()
        self._by_path: dict[str, dict[str, _Entry]] = {}
        self._by_pattern: dict[str, list[_Entry]] = {}
        for route in routes:
            if not isinstance(route, APIRoute):
                continue
            entry = _Entry(route, QueryNames(route), _Endpoint.of(route))
            for method in route.methods or ():
                if route.param_convertors:
                    self._by_pattern.setdefault(method, []).append(entry)
                else:
                    self._by_path.setdefault(route.path, {}).setdefault(method, entry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return await self._api(scope, receive, send)
        method, path = scope["method"], scope["path"]
        entry, matched = self._find(method, path)
        if entry is None:
            if method == "HEAD":
                return await self._answer_head(scope, receive, send)
            methods = self._methods_at(path)
            if methods:
                return await errors.method_not_allowed(Request(scope), methods)(scope, receive, send)
            return await self._api(scope, receive, send)
        request = Request(scope, receive)
        route, query, endpoint = entry
        scope["app"], scope["route"], scope["path_params"] = self._api, route, dict(matched)
        try:
            sent = query.read(scope) if scope["query_string"] else _NOTHING_SENT
        except InvalidInput as exc:
            return await (await _refuse(request, route, exc))(scope, receive, send)
        if endpoint is None:
            return await self._api(scope, receive, send)
        arguments: dict[str, Any] | None
        try:
            arguments = endpoint.read(sent, matched)
        except _Unusual:
            if endpoint.body is None:
                return await self._api(scope, receive, send)
            arguments = None
        try:
            await endpoint.admit(request, {} if arguments is None else arguments)
            if endpoint.body is not None:
                body = await _body(request)
                await self._reading.check(body, bodies.most_values(path))
                if arguments is None or not await self._take_body(arguments, endpoint.body, request, body):
                    return await self._api(scope, _again(body, receive), send)
            assert arguments is not None
            response = await endpoint.answer(request, arguments)
        except Exception as exc:  # noqa: BLE001 - around a request: one table has an answer for each
            response = await errors.respond(request, exc)
        await response(scope, receive, send)

    async def _answer_head(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as to GET, without the body."""
        asked = {**scope, "method": "GET"}

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {"type": "http.response.body", "more_body": message.get("more_body", False)}
            await send(message)

        try:
            await self(asked, receive, send_head)
        finally:
            scope["route"] = asked.get("route")  # which metrics and the log name

    async def _take_body(self, arguments: dict[str, Any], parameter: _Parameter, request: Request, body: bytes) -> bool:
        """Whether the body is as it should be, or the framework is to say what is wrong.

        Raises:  RequestValidationError for a large one: the framework would hold up the others.
        """
        if not body:
            return not parameter.is_required
        if not reading.is_json(request.headers.get("content-type", "")):
            return False
        if len(body) > reading.SMALL_BYTES:
            arguments[parameter.name] = await self._reading.read(body, parameter.validate)
            return True
        try:
            _take(arguments, parameter, json.loads(body))
        except (ValueError, RecursionError, _Unusual):
            return False
        return True

    def _find(self, method: str, path: str) -> tuple[_Entry | None, Mapping[str, str]]:
        spelled_out = self._by_path.get(path)
        if spelled_out is not None:
            return spelled_out.get(method), {}
        for entry in self._by_pattern.get(method, ()):
            match = entry.route.path_regex.match(path)
            if match is not None:
                return entry, match.groupdict()
        return None, {}

    def _methods_at(self, path: str) -> set[str]:
        """What is possible at a path; empty where the framework alone may know it."""
        methods = set(self._by_path.get(path, ())) or {
            method
            for method, entries in self._by_pattern.items()
            if any(entry.route.path_regex.match(path) for entry in entries)
        }
        return methods | {"HEAD"} if "GET" in methods else methods


async def _refuse(request: Request, route: APIRoute, exc: InvalidInput) -> Response:
    """The answer to a query that cannot be read; without a good token it is that there is none."""
    calls = {given.call for given in _dependencies(route.dependant)}
    try:
        if auth.authenticate in calls:
            await auth.authenticate(request, await auth.scheme(request))
        elif limit_address in calls:
            await limit_address(request)
    except PinfoldError as other:
        return await errors.respond(request, other)
    return await errors.respond(request, exc)


def _dependencies(dependant: Dependant) -> Iterator[Dependant]:
    for one in dependant.dependencies:
        yield one
        yield from _dependencies(one)


def _parameter(field: Any) -> _Parameter:
    info = field.field_info
    return _Parameter(field.name, field.validate, takes_several(info.annotation), info.is_required())


def _take(arguments: dict[str, Any], parameter: _Parameter, sent: Any) -> None:
    value, wrong = parameter.validate(sent)
    if wrong:
        raise _Unusual
    arguments[parameter.name] = value


async def _body(request: Request) -> bytes:
    """All of a body; whoever gave ``request`` bounds it.  Raises: ClientDisconnect, UploadStalled."""
    parts: list[bytes] = []
    silence_s: float = request.app.state.upload_idle_timeout_s
    now = asyncio.get_running_loop().time
    latest, received = now() + 2 * silence_s, 0
    try:
        async with asyncio.timeout(silence_s) as limit:
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
                received += len(parts[-1])
                limit.reschedule(min(now() + silence_s, latest + received / LEAST_BYTES_PER_S))
    except TimeoutError:
        raise UploadStalled(f"the body stalled after {received:,} bytes") from None


def _again(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that begins with a body that was read already."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return left.pop() if left else await receive()

    return receive_again
