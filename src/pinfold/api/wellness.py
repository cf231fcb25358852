"""Is anybody there, and is everything well."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from pinfold.api.envelope import Answer
from pinfold.api.errors import responses
from pinfold.services.health import HealthService
from pinfold.version import __version__

router = APIRouter(tags=["server"])


class Pong(BaseModel):
    """A sign of life."""

    ping: Literal["pong"] = Field(description="Always `pong`.", examples=["pong"])


class Wellness(BaseModel):
    """How the parts of the server are."""

    status: Literal["ok", "failing"] = Field(description="`ok` when every part is well.", examples=["ok"])
    version: str = Field(description="The server's version.", examples=[__version__])
    checks: dict[str, str] = Field(
        description="Each part: `ok`, or what is wrong with it.", examples=[{"database": "ok", "engine": "ok"}]
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
    one that writes down what was counted.  503 when one of them is not well; `data` says which.
    """
    checker: HealthService = request.app.state.services.health
    return _answer(request, await checker.check())


@router.get(
    "/ready",
    summary="Can this process take requests",
    response_description="It can.",
    response_model=Answer[Wellness],
    responses=responses(503),
)
async def ready(request: Request) -> JSONResponse:
    """For load balancers: whether the database has this version's schema and can be written to, the disk has room, the
    engine answers and the loops of this process go round.  503 when not; `data` says what is missing.

    A gateway that runs alone needs neither the database nor room, and is ready without them.
    """
    checker: HealthService = request.app.state.services.health
    return _answer(request, await checker.ready())


def _answer(request: Request, checks: dict[str, str]) -> JSONResponse:
    well = all(said == "ok" for said in checks.values())
    wellness = Wellness(status="ok" if well else "failing", version=__version__, checks=checks)
    if well:
        return JSONResponse(Answer(success=True, data=wellness).model_dump())
    problem = {
        "success": False,
        "error": "; ".join(f"{part}: {said}" for part, said in checks.items() if said != "ok"),
        "code": "UNWELL",
        "hint": None,
        "request_id": request.scope["state"]["request_id"],
        "data": wellness.model_dump(),
    }
    return JSONResponse(problem, 503)
