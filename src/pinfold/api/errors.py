"""From what went wrong to an HTTP status and the envelope's error form: one table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from pinfold.api import sentences
from pinfold.api.envelope import Problem
from pinfold.api.pinning import form
from pinfold.api.reading import is_json
from pinfold.core import errors, public_errors
from pinfold.telemetry import fields, logger

log = logger("api")

STATUS: Final[dict[type[errors.PinfoldError], int]] = {
    errors.PinfoldError: 500,
    errors.InvalidInput: 400,
    errors.InvalidCID: 400,
    errors.InsecureHash: 400,
    errors.IdentityTooLarge: 400,
    errors.InvalidPath: 400,
    errors.UnknownHash: 400,
    errors.UnknownCodec: 400,
    errors.InvalidVarint: 400,
    errors.MalformedBlock: 400,
    errors.NotUnixFS: 400,
    errors.MalformedCar: 400,
    errors.BlockTooLarge: 400,
    errors.DagTooDeep: 400,
    errors.UnsafeName: 400,
    errors.ChecksumMismatch: 460,
    errors.NotFound: 404,
    errors.BlockNotFound: 404,
    errors.IncompleteDag: 400,
    errors.PathNotFound: 404,
    errors.PinNotFound: 404,
    errors.FileRecordNotFound: 404,
    errors.RecordNotFound: 404,
    errors.UploadGone: 410,
    errors.SourceNotFound: 500,
    errors.Conflict: 409,
    errors.PinConflict: 409,
    errors.BlockPinned: 409,
    errors.FileRecordConflict: 409,
    errors.UploadBusy: 423,
    errors.OffsetMismatch: 409,
    errors.UploadStalled: 408,
    errors.NoPlaceForUpload: 503,
    errors.UploadOvertaken: 503,
    errors.RecordConflict: 409,
    errors.ReplicationImpossible: 409,
    errors.NotAFile: 400,
    errors.NotADirectory: 400,
    errors.SourceUnreadable: 500,
    errors.SourceChanged: 500,
    errors.SymlinkLoop: 500,
    errors.Corrupt: 500,
    errors.BlockCorrupt: 500,
    errors.StoreCorrupt: 500,
    errors.DatabaseDamaged: 503,
    errors.StoreError: 503,
    errors.StoreFull: 507,
    errors.StoreNewer: 503,
    errors.StoreInUse: 503,
    errors.StoreUnreadable: 503,
    errors.CatalogueLost: 503,
    errors.DatabaseOutdated: 503,
    errors.DatabaseUnavailable: 503,
    errors.WrongDatabase: 503,
    errors.SystemUnavailable: 503,
    errors.FetchFailed: 502,
    errors.AddressRefused: 400,
    errors.TimedOut: 504,
    errors.Stopped: 503,
    errors.QuotaExceeded: 403,
    errors.Unauthorised: 401,
    errors.Forbidden: 403,
    errors.TooManyRequests: 429,
    errors.PayloadTooLarge: 413,
    errors.InvalidSetting: 500,
    errors.VerificationFailed: 500,
}

CLIENT_WENT_AWAY: Final = 499
"""Stands in the log only, as with other servers: nobody is there to read it."""

_COME_BACK_S: Final = "2"  # a restart of a database takes about as long, and a lock is gone sooner

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_CODES_OF_STATUS: Final = {
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "INVALID_PARAMETER",
}


_FRAMEWORK_UNREADABLE: Final = "There was an error parsing the body"
_UNREADABLE: Final = "the body cannot be read: it is nested too deeply"


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries of the errors an endpoint answers with; those that go with others need not be named.

    Where a token is needed, its limits hold too, and a body that may be too large may as well not come.
    """
    every = {*statuses, *([429] if 401 in statuses else ()), *([408] if 413 in statuses else ())}
    return {status: {"model": Problem, "description": DESCRIPTIONS[status]} for status in sorted(every)}


DESCRIPTIONS: Final = {
    400: "What was sent cannot be read, or has a query parameter that is not described here; the sentence says why.",
    401: "The bearer token is missing or not known.",
    403: "The token lacks the scope or the role, or a quota is used up.",
    404: "What was named is not here.",
    408: "Nothing of the body came for too long; the connection is closed.",
    409: "What was asked for contradicts what is.",
    410: "It was here, and has expired.",
    412: "The version of the protocol is not spoken here, or not named.",
    413: "The request, or a file of it, is larger than this server takes.",
    414: "The address with its query is longer than this server takes.",
    415: "The body is of another type than this endpoint takes.",
    422: "A parameter is not of the form that this page describes.",
    423: "Another request holds it.",
    429: "Too many requests; Retry-After says when to come back.",
    460: "The bytes do not match their checksum.",
    500: "The server failed; its log has the request's id.",
    503: "A part of the server is not well.",
    507: "The disk is full; nothing of the request was kept.",
}


def answer(request: Request, status: int, error: str, code: str, hint: str | None = None) -> JSONResponse:
    """The envelope of an error, or the form that the Pinning Service API has for it."""
    if form.is_at(request.url.path):
        return form.failure(status, error, code, hint, request_id(request))
    problem = Problem(success=False, error=error, code=code, hint=hint, request_id=request_id(request))
    headers = {401: {"WWW-Authenticate": "Bearer"}, 408: {"Connection": "close"}}.get(status)
    return JSONResponse(problem.model_dump(), status, headers)


def request_id(request: Request) -> str:
    """The id that the outermost layer gave the request."""
    given: str = request.scope.get("state", {}).get("request_id", "")
    return given


async def _refuse(request: Request, exc: errors.PinfoldError) -> JSONResponse:
    status = STATUS[type(exc)]
    if status >= 500:
        # What is no mistake of the program needs no trace of it: a disk that is full, a database that is away.
        log.error(
            "request failed",
            exc_info=exc if status == 500 else None,
            **{fields.CODE: exc.code, fields.ERROR: _with_cause(exc)},
        )
    sentence, hint = public_errors.public(exc)
    response = answer(request, status, sentence, exc.code, hint or None)
    if status == 503 and exc.retryable:
        response.headers["Retry-After"] = _COME_BACK_S
    return response


def _with_cause(exc: errors.PinfoldError) -> str:
    """What is for the log only: a driver's words may name hosts."""
    cause = str(exc.__cause__ or "").strip()
    return f"{exc}: {cause.splitlines()[0]}" if cause else str(exc)


async def _explain(request: Request, exc: RequestValidationError) -> JSONResponse:
    first = exc.errors()[0]
    if (
        first["loc"] == ("body",)
        and first["type"] != "missing"
        and not is_json(request.headers.get("content-type", ""))
    ):
        return answer(
            request,
            415,
            "the body has to be JSON, with the header Content-Type: application/json",
            _CODES_OF_STATUS[415],
            "With curl: --json '{…}' in place of -d '{…}'.",
        )
    return answer(request, 422, sentences.sentence(first), "INVALID_PARAMETER", "See /docs.")


async def _nobody_is_left(request: Request, exc: ClientDisconnect) -> JSONResponse:
    return answer(request, CLIENT_WENT_AWAY, "the client went away", "CLIENT_WENT_AWAY")


async def _system(request: Request, exc: OSError) -> JSONResponse:
    failure = public_errors.of_system(exc)
    return await (_bug(request, exc) if failure is None else _refuse(request, failure))


async def _bug(request: Request, exc: Exception) -> JSONResponse:
    log.error("request failed", exc_info=exc, **{fields.ERROR: repr(exc)})
    return answer(request, 500, "this server failed at the request", "INTERNAL")


def method_not_allowed(request: Request, methods: Iterable[str]) -> JSONResponse:
    """The answer to a method that is not possible at a path where ``methods`` are."""
    response = answer(request, 405, f"{request.method} is not possible here", _CODES_OF_STATUS[405])
    response.headers["Allow"] = ", ".join(sorted(methods, key=METHODS.index))
    return response


async def _framework(request: Request, exc: HTTPException) -> JSONResponse:
    if exc.status_code == 405:
        return method_not_allowed(request, _methods_at(request))
    known = {404: f"there is nothing at {request.url.path}"}
    code = _CODES_OF_STATUS.get(exc.status_code, "HTTP_ERROR")
    text = _UNREADABLE if exc.detail == _FRAMEWORK_UNREADABLE else str(exc.detail)
    response = answer(request, exc.status_code, known.get(exc.status_code, text), code)
    response.headers.update(exc.headers or {})
    return response


_HANDLERS: Final[dict[type[Exception], Callable[[Request, Any], Awaitable[JSONResponse]]]] = {
    errors.PinfoldError: _refuse,
    RequestValidationError: _explain,
    ClientDisconnect: _nobody_is_left,
    HTTPException: _framework,
    OSError: _system,
    Exception: _bug,
}


async def respond(request: Request, exc: Exception) -> JSONResponse:
    """The answer to a request that ended so."""
    handler = next(_HANDLERS[kind] for kind in type(exc).__mro__ if kind in _HANDLERS)
    return await handler(request, exc)


def add_error_handlers(api: FastAPI) -> None:
    """Have ``api`` answer every error in the envelope."""
    for kind, handler in _HANDLERS.items():
        api.add_exception_handler(kind, handler)


def _methods_at(request: Request) -> list[str]:
    """The methods that are possible at the path: each has a route of its own, and the framework names but one."""
    routes = request.app.router.routes
    return [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
