"""No message of the validator reaches a person, and JSON is read strictly."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, TypeAdapter
from pydantic_core._pydantic_core import list_all_errors

from pinfold.api import application, sentences
from pinfold.api.application import openapi
from pinfold.api.times import Day, Moment
from tests.support.platform import platform, run

CID = "bafkreieu7kssc4cfequph2r4a4zm4sll7hzsn46l2thih4cboior2ejmxy"

RAISED: dict[str, set[str]] = {
    "model": {"model_type", "model_attributes_type"},
    "model-fields": {"model_type", "model_attributes_type", "missing", "extra_forbidden", "invalid_key"},
    "model-field": set(),
    "list": {"list_type", "too_short", "too_long"},
    "dict": {"dict_type", "too_short", "too_long", "invalid_key"},
    "str": {
        "string_type",
        "string_unicode",
        "string_too_short",
        "string_too_long",
        "string_pattern_mismatch",
    },
    "int": {
        "int_type",
        "int_parsing",
        "int_parsing_size",
        "int_from_float",
        "finite_number",
        "greater_than",
        "greater_than_equal",
        "less_than",
        "less_than_equal",
        "multiple_of",
    },
    "bool": {"bool_type", "bool_parsing"},
    "enum": {"enum"},
    "literal": {"literal_error"},
    "uuid": {"uuid_type", "uuid_parsing", "uuid_version"},
    "datetime": {
        "datetime_type",
        "datetime_parsing",
        "datetime_object_invalid",
        "datetime_from_date_parsing",
        "timezone_aware",
    },
    "date": {"date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"},
    # What wraps others raises their errors, and what a check of ours raises is a sentence.
    "default": set(),
    "nullable": set(),
    "union": set(),
    "definitions": set(),
    "definition-ref": set(),
    "function-after": set(),
    "function-before": set(),
    "no-info": set(),
}
"""The errors that each kind of schema can raise."""


def dependants(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for one in dependant.dependencies:
        yield from dependants(one)


def schemas(of: tuple[str, ...] = ("path_params", "query_params", "body_params", "header_params")) -> Iterator[Any]:
    """Every schema that a request is read by, and those in it."""

    def inside(schema: Any) -> Iterator[Any]:
        if isinstance(schema, dict):
            if isinstance(schema.get("type"), str):
                yield schema
            for key, part in schema.items():
                if key not in ("metadata", "json_schema_input_schema"):  # which describe, and read nothing
                    yield from inside(part)
        elif isinstance(schema, list | tuple):
            for part in schema:
                yield from inside(part)

    for router in application._ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute):
                for dependant in dependants(route.dependant):
                    for kind in of:
                        for field in getattr(dependant, kind):
                            yield from inside(field._type_adapter.core_schema)


def test_every_error_that_a_request_can_raise_has_a_sentence_of_its_own() -> None:
    kinds = {schema["type"] for schema in schemas()}
    assert kinds <= RAISED.keys(), "say which errors these schemas raise"
    raised = set().union(*(RAISED[kind] for kind in kinds))
    assert raised <= sentences._TOLD.keys()
    assert raised <= {one["type"] for one in list_all_errors()}


def test_every_pattern_of_a_request_is_put_in_words() -> None:
    patterns = {schema["pattern"] for schema in schemas() if "pattern" in schema}
    assert patterns
    assert patterns - sentences.PATTERNS.keys() == set()


@pytest.mark.parametrize("error", list_all_errors(), ids=lambda error: str(error["type"]))
def test_no_message_of_the_validator_is_repeated(error: dict[str, Any]) -> None:
    context = error.get("example_context") or {}
    said = sentences.sentence({"type": error["type"], "loc": ("body", "name"), "ctx": context, "input": "a secret"})
    fixed = max(re.split(r"\{.*?\}", str(error["message_template_python"])), key=len).strip(" ,'`")
    assert fixed not in said
    assert "secret" not in said
    assert not re.search(r"Input|String should|\^|\\", said)


def test_numbers_and_booleans_of_json_are_read_strictly() -> None:
    lax = [
        schema for schema in schemas(("body_params",)) if schema["type"] in ("int", "bool") and not schema.get("strict")
    ]
    assert lax == []


class Times(BaseModel):
    at: Moment | None = None
    day: Day | None = Field(None)


@pytest.mark.parametrize("given", [0, 1.5, True, "0", "1767225600", "2026-12-31T12:00:00", "12:00", "2026-13-01", ""])
@pytest.mark.parametrize("field", ["at", "day"])
def test_only_a_written_time_is_a_time(field: str, given: object) -> None:
    with pytest.raises(ValueError, match="date"):
        Times.model_validate({field: given})


def test_a_date_is_its_first_moment_in_utc() -> None:
    read: Callable[[str], Any] = TypeAdapter(Moment).validate_python
    assert read("2026-12-31").isoformat() == "2026-12-31T00:00:00+00:00"
    assert read("2026-12-31T12:00:00 02:00").isoformat() == "2026-12-31T10:00:00+00:00"
    assert read("2026-12-31T12:00Z").isoformat() == "2026-12-31T12:00:00+00:00"


JSON = {"Content-Type": "application/json"}
SAID: list[tuple[str, str, dict[str, Any], int, str]] = [  # method, path, what is sent, status, what the answer says
    ("POST", "/api/v1/pins", {"json": {"cid": CID, "origins": ["http://gw"]}}, 422, "origins[0] has to be a multiaddr"),
    ("POST", "/api/v1/pins", {"json": {"cid": CID, "expires_at": 0}}, 422, "expires_at has to be a time with its zone"),
    ("POST", "/api/v1/pins", {"json": {"cid": CID, "expires_at": "2020-01-01T00:00:00"}}, 422, "such as 2026-12-31"),
    ("POST", "/api/v1/pins", {"json": {"cid": CID, "replication_factor_min": True}}, 422, "has to be a whole number"),
    ("POST", "/api/v1/pins", {"json": {"cid": CID, "replication_factor_min": "1"}}, 422, "replication_factor_min has"),
    ("POST", "/api/v1/pins", {"json": {"cid": CID, "tier": "gold"}}, 422, "tier has to be critical"),
    ("POST", "/api/v1/pins", {"json": {"cid": CID, "replicas": 3}}, 422, "replicas is not known here"),
    ("POST", "/api/v1/pins", {"json": {"cid": CID, "metadata": {"a": 1}}}, 422, "metadata.a has to be text"),
    ("POST", "/api/v1/pins", {"json": {"name": "x"}}, 422, "cid is missing"),
    ("POST", "/api/v1/pins", {"json": [1]}, 422, "body has to be a JSON object"),
    ("POST", "/api/v1/pins", {}, 422, "the body is missing"),
    (
        "POST",
        "/api/v1/pins",
        {"content": b'{"cid"', "headers": {"Content-Type": "application/json"}},
        422,
        "is no JSON",
    ),
    ("POST", "/api/v1/pins", {"content": b'{"cid":"x"}'}, 415, "Content-Type: application/json"),
    ("POST", "/api/v1/pins", {"data": {"cid": "x"}}, 415, "--json"),
    (
        "POST",
        f"/api/v1/pins/{CID}",
        {"content": b"{}", "headers": {"Content-Type": "text/plain"}},
        415,
        "Content-Type: application/json",
    ),
    ("GET", "/api/v1/pins?before=0", {}, 422, "before has to be a time"),
    ("GET", "/api/v1/usage?from=0", {}, 422, "from has to be a date"),
    ("GET", "/api/v1/pins?status=lost", {}, 422, "status[0] has to be queued, pinning, pinned or failed"),
    ("GET", "/api/v1/pins?limit=many", {}, 422, "limit has to be a whole number"),
    ("GET", "/api/v1/pins?limit=0", {}, 422, "limit has to be 1 or more"),
    ("GET", "/api/v1/webhooks/x", {}, 422, "webhook_id has to be an id, such as"),
    ("PUT", "/api/v1/files/a?project_id=web", {"content": b"x"}, 400, "'web' is no id of a project"),
    ("POST", "/psa/pins", {"json": {"cid": CID, "origins": "x"}}, 400, "origins has to be a list"),
]


def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            for method, path, sent, status, words in SAID:
                answer = await at.api.request(method, path, **sent)
                assert (answer.status_code, words in answer.text) == (status, True), (path, sent, answer.text)
            dated = await at.api.post("/api/v1/pins", json={"cid": CID, "expires_at": "2099-12-31"})
            assert dated.json()["data"]["expires_at"] == "2099-12-31T00:00:00Z"

    run(go())


def test_a_body_of_another_type_is_described_wherever_json_is_taken() -> None:
    for path, item in openapi()["paths"].items():
        for method, operation in item.items():
            if "application/json" in operation.get("requestBody", {}).get("content", {}) and "/psa" not in path:
                assert "415" in operation["responses"], f"{method} {path}"
