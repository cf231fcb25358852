"""The envelope around every answer of ``/api/v1``."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")


class Answer(BaseModel, Generic[T]):
    """What was asked for."""

    success: Literal[True] = Field(True, description="Whether the request did what was asked.")
    data: T = Field(description="What was asked for.")


class Pagination(BaseModel):
    """Where a page stands among all of them."""

    page: int = Field(description="This page, counted from 1.", examples=[1])
    limit: int = Field(description="Entries on a full page.", examples=[20])
    total: int = Field(description="Entries on all pages.", examples=[42])
    pages: int = Field(description="Pages; 0 when there are no entries.", examples=[3])

    @classmethod
    def of(cls, page: int, limit: int, total: int) -> Pagination:
        """The pagination of ``total`` entries."""
        return cls(page=page, limit=limit, total=total, pages=-(-total // limit))


class ListAnswer(BaseModel, Generic[T]):
    """One page of a list."""

    success: Literal[True] = Field(True, description="Whether the request did what was asked.")
    data: list[T] = Field(description="The entries of this page.")
    pagination: Pagination = Field(description="Where this page stands among all of them.")


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
