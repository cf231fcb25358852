"""Is anybody there, and is everything well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from pinfold.api.auth import authenticate, scheme
from pinfold.api.envelope import Answer
from pinfold.api.errors import responses
from pinfold.api.metrics import is_open_to
from pinfold.api.undeclared_proxy import UndeclaredProxy
from pinfold.core.errors import PinfoldError
from pinfold.services.accounts import Scope
from pinfold.services.health import HealthService
from pinfold.version import __version__

router = APIRouter(tags=["server"])

_NOT_WELL = "a part of this server is not well"


class Pong(BaseModel):
    """A sign of life."""

    ping: Literal["pong"] = Field(description="Always `pong`.", examples=["pong"])


class Wellness(BaseModel):
    """How the parts of the server are."""

    status: Literal["ok", "failing"] = Field(description="`ok` when every part is well.", examples=["ok"])
    version: str = Field(description="The server's version.", examples=[__version__])
    checks: dict[str, str] = Field(
        description="Each part: `ok`, or what is wrong with it. Empty for those who may not read `/metrics`.",
        examples=[{"database": "ok", "engine": "ok"}],
    )
    warnings: list[str] = Field(
        [], description="What needs the operator's attention and stops nothing; shown as `checks` are.", examples=[[]]
    )


@router.get("/ping", summary="Is anybody there", response_description="Somebody is.")
async def ping() -> Answer[Pong]:
    """Answers at once, touching nothing."""
    return Answer(success=True, data=Pong(ping="pong"))


@router.get(
    "/health",
    summary="Is everything well",
    response_description="Every part is.",
    response_model=Answer[Wellness],
    responses=responses(503),
)
async def health(request: Request) -> JSONResponse:
    """Asks the database, the engine and the loops of this process: those of its workers, where it has some, and the
    one that writes down what was counted; and whether any worker runs.  503 when one of them is not well.

    `data.checks` says which, to those who may read `/metrics`: programs on this machine, and tokens with the scope
    `server:admin` (the setting `metrics_access` changes that).  Others get the status alone.
    """
    checker: HealthService = request.app.state.services.health
    proxy: UndeclaredProxy | None = getattr(request.app.state, "undeclared_proxy", None)  # the API's own has one
    warnings = [proxy.warning] if proxy is not None and proxy.warning is not None else []
    return _answer(request, await checker.check(), may_see=await _may_see(request), warnings=warnings)


@router.get(
    "/ready",
    summary="Can this process take requests",
    response_description="It can.",
    response_model=Answer[Wellness],
    responses=responses(503),
)
async def ready(request: Request) -> JSONResponse:
    """For load balancers: whether the database has this version's schema and can be written to, the disk has room, the
    engine answers and the loops of this process go round.  503 when not; `data.checks` says what is missing, to the
    same callers as that of `/health`.

    A gateway that runs alone needs neither the database nor room, and is ready without them.
    """
    checker: HealthService = request.app.state.services.health
    return _answer(request, await checker.ready(), may_see=await _may_see(request))


async def _may_see(request: Request) -> bool:
    """Whether the caller may read what is wrong, and not just that something is.

    The token is optional, so no endpoint declares it: the description would demand one.
    """
    if is_open_to(request):
        return True
    if (given := await scheme(request)) is None:
        return False
    try:
        (await authenticate(request, given)).require(Scope.SERVER_ADMIN)
    except PinfoldError:  # a bad token, or a database that cannot say: the status is for all
        return False
    return True


def _answer(request: Request, checks: dict[str, str], *, may_see: bool, warnings: Sequence[str] = ()) -> JSONResponse:
    well = all(said == "ok" for said in checks.values())
    shown = checks if may_see else {}
    noted = list(warnings) if may_see else []
    wellness = Wellness(status="ok" if well else "failing", version=__version__, checks=shown, warnings=noted)
    if well:
        return JSONResponse(Answer(success=True, data=wellness).model_dump())
    problem = {
        "success": False,
        "error": "; ".join(f"{part}: {said}" for part, said in shown.items() if said != "ok") or _NOT_WELL,
        "code": "UNWELL",
        "hint": None,
        "request_id": request.scope["state"]["request_id"],
        "data": wellness.model_dump(),
    }
    return JSONResponse(problem, 503)
