"""The envelope around every answer of ``/api/v1``."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

import orjson
from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Answer(BaseModel, Generic[T]):
    """What was asked for."""

    success: Literal[True] = Field(True, description="Whether the request did what was asked.")
    data: T = Field(description="What was asked for.")


class Pagination(BaseModel):
    """Where a page stands among all of them."""

    page: int | None = Field(
        description="This page, counted from 1; null where the list was asked for by `cursor`.", examples=[1]
    )
    limit: int = Field(description="Entries on a full page.", examples=[20])
    total: int = Field(description="Entries on all pages.", examples=[42])
    total_is_exact: bool = Field(
        description="Whether there are just as many; else `total` is the least there are: more are not counted.",
        examples=[True],
    )
    pages: int = Field(description="Pages; 0 when there are no entries.", examples=[3])
    next_cursor: str | None = Field(
        description="Send it as `cursor` to get the entries after these; null on the last page.", examples=[None]
    )

    @classmethod
    def of(
        cls, page: int | None, limit: int, total: int, *, is_exact: bool = True, next_cursor: str | None = None
    ) -> Pagination:
        """The pagination of ``total`` entries."""
        return cls(**cls.told(page, limit, total, is_exact=is_exact, next_cursor=next_cursor))

    @staticmethod
    def told(
        page: int | None, limit: int, total: int, *, is_exact: bool = True, next_cursor: str | None = None
    ) -> dict[str, Any]:
        """The same as JSON takes it, for ``Told``."""
        return {
            "page": page,
            "limit": limit,
            "total": total,
            "total_is_exact": is_exact,
            "pages": -(-total // limit),
            "next_cursor": next_cursor,
        }


class ListAnswer(BaseModel, Generic[T]):
    """One page of a list."""

    success: Literal[True] = Field(True, description="Whether the request did what was asked.")
    data: list[T] = Field(description="The entries of this page.")
    pagination: Pagination = Field(description="Where this page stands among all of them.")


def made(answer: BaseModel, status: int = 200) -> Response:
    """An answer as it is sent, for what is asked for all the time: the framework would check and copy it once more."""
    return Response(answer.__pydantic_serializer__.to_json(answer), status, media_type="application/json")


class Told(Response):
    """JSON of plain values, for lists that are asked for all the time: no model is made of each entry first."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes."""
        return orjson.dumps(content, option=orjson.OPT_UTC_Z)


class Problem(BaseModel):
    """Why a request was refused, or failed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "success": False,
                    "error": "there is no file 0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11",
                    "code": "FILE_NOT_FOUND",
                    "hint": None,
                    "request_id": "5f2b6c1e9a7d4e03",
                }
            ]
        }
    )

    success: Literal[False] = Field(False, description="Whether the request did what was asked.")
    error: str = Field(description="A sentence for a person.")
    code: str = Field(description="A stable code for programs.")
    hint: str | None = Field(None, description="What to do about it, where somebody knows.")
    request_id: str = Field(description="Names this request in the server's log.")
