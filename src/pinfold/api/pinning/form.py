"""How the Pinning Service API says that something went wrong: ``{"error": {"reason", "details"}}``.

Its reasons stand for statuses.  What is wrong with a request is 400 there, whatever is wrong with it, and a used-up
quota is 409, "insufficient funds".
"""

from __future__ import annotations

from typing import Final

from fastapi.responses import JSONResponse

PREFIX: Final = "/psa"

_REASONS: Final = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "INSUFFICIENT_FUNDS",
    413: "PAYLOAD_TOO_LARGE",
    429: "TOO_MANY_REQUESTS",
}
_QUOTA: Final = "QUOTA_EXCEEDED"


def is_at(path: str) -> bool:
    """Whether what is at a path speaks so."""
    return path == PREFIX or path.startswith(PREFIX + "/")


def failure(status: int, error: str, code: str, hint: str | None, request_id: str) -> JSONResponse:
    """The answer for an error that the rest of the API gives this status and code."""
    if status == 422:
        status = 400
    elif code == _QUOTA:
        status = 409
    reason = _REASONS.get(status) or ("INTERNAL_SERVER_ERROR" if status >= 500 else code)
    details = " ".join(part for part in (f"{error}.", hint, f"(request {request_id})") if part)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": {"reason": reason, "details": details}}, status, headers)
