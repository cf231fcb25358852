from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from pinfold.api.application import openapi
from pinfold.api.documentation import page

DESCRIPTION = openapi()


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in DESCRIPTION["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation


OPEN = ("post /api/v1/sessions", "post /api/v1/sign-up", "post /api/v1/invitations/accept")
"""What nobody needs a token for."""


@pytest.mark.parametrize("schema", sorted(DESCRIPTION["components"]["schemas"]))
def test_every_field_is_described(schema: str) -> None:
    for name, field in DESCRIPTION["components"]["schemas"][schema].get("properties", {}).items():
        assert field.get("description"), f"{schema}.{name}"


@pytest.mark.parametrize(("name", "operation"), list(operations()))
def test_every_operation_says_what_it_does_and_how_it_fails(name: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    if name != "get /ping":
        problems = [status for status in operation["responses"] if status[0] in "45"]
        assert problems
        form = "Failure" if "/psa" in name else "Problem"
        for status in problems:
            content = operation["responses"][status]["content"]["application/json"]
            assert content["schema"] == {"$ref": f"#/components/schemas/{form}"}
    if "/api/v1" in name and name not in OPEN:
        assert operation["security"]
        assert "401" in operation["responses"]
    for parameter in operation.get("parameters", []):
        assert parameter["description"]


def test_the_page_names_every_endpoint_and_loads_nothing_from_elsewhere() -> None:
    html = page(DESCRIPTION, "http://127.0.0.1:3000")
    for path in DESCRIPTION["paths"]:
        assert f"<code>{path}</code>" in html
    assert "<script" not in html
    assert not re.search(r'(src|href)="(https?:)?//', html)
    assert "queued | pinning | pinned | failed" in html


def test_the_page_s_examples_are_whole() -> None:
    html = page(DESCRIPTION, "http://127.0.0.1:3000")
    assert "&#34;pinStatus&#34;: &#34;queued&#34;" in html
    assert "&#34;pagination&#34;" in html


@pytest.mark.parametrize(("name", "operation"), list(operations()))
def test_what_any_token_or_body_may_be_refused_for_is_listed_everywhere(name: str, operation: dict[str, Any]) -> None:
    listed = set(operation["responses"])
    if "4XX" in listed:  # the Pinning Service API lists it by class
        return
    if operation.get("security"):
        assert listed >= {"401", "403", "429"}
    if "requestBody" in operation:
        assert listed >= {"413", "422"}
