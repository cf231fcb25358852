from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from pinfold.api import documentation
from pinfold.api.application import openapi
from pinfold.api.documentation import page
from pinfold.api.examples import curl, example
from tests.support.endpoints import Endpoint, endpoints
from tests.support.platform import platform, run

DESCRIPTION = openapi()


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in DESCRIPTION["paths"].items():
        for method, operation in item.items():
            yield f"{method} {path}", operation


@pytest.mark.parametrize("path", ["/api/v1/pins", "/api/v1/files"])
def test_a_filter_by_status_is_described_in_both_its_forms(path: str) -> None:
    parameters = DESCRIPTION["paths"][path]["get"]["parameters"]
    (schema,) = [one["schema"] for one in parameters if one["name"] == "status"]
    reads = jsonschema_rs.validator_for({**schema, "components": DESCRIPTION["components"]})
    assert all(map(reads.is_valid, (["pinned", "failed"], ["pinned,failed"], ["queued", "pinned,failed"])))
    assert not any(map(reads.is_valid, (["lost"], ["pinned,lost"], ["pinned,"], [""])))


OPEN = (
    "post /api/v1/sessions",
    "post /api/v1/sign-up",
    "post /api/v1/invitations/accept",
    "options /api/v1/files/tus",
)
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


@pytest.mark.parametrize("endpoint", [one for one in endpoints() if one.path in DESCRIPTION["paths"]], ids=str)
def test_every_operation_names_just_the_scope_that_it_needs(endpoint: Endpoint) -> None:
    operation = DESCRIPTION["paths"][endpoint.path][endpoint.method.lower()]
    told = operation["description"].split("\n\n")[-1]
    if endpoint.needs is not None:
        assert told == f"Needs the scope `{endpoint.needs}`."
    elif endpoint.path.startswith("/api/v1/tokens"):
        assert told == "Needs the scope `org:admin`, unless somebody is signed in."
    elif endpoint.authenticates:
        assert told == "Needs a token, and no scope."
    elif endpoint.path != "/metrics":  # a setting says who may
        assert told == "Needs no token."
    assert operation["description"].count("Needs ") == (endpoint.path != "/metrics")


def test_schemas_are_named_by_what_they_are_and_not_by_where_they_lie() -> None:
    assert not [name for name in DESCRIPTION["components"]["schemas"] if "pinfold" in name or name.count("__") > 2]


@pytest.mark.parametrize("noun", ["deleted", "updated"])
def test_an_example_of_a_batch_answers_what_was_done(noun: str) -> None:
    path = {"deleted": "delete", "updated": "tag"}[noun]
    operation = DESCRIPTION["paths"][f"/api/v1/files/batch/{path}"]["post"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    answer = example(schema, DESCRIPTION["components"]["schemas"])
    assert [one["status"] for one in answer["data"]["results"]] == [noun]


@pytest.mark.parametrize("name", ["post /api/v1/projects", "patch /api/v1/projects/{id}"])
def test_an_example_of_a_project_names_no_member_that_nobody_has(name: str) -> None:
    words = words_of(name)
    assert json.loads(words[words.index("--json") + 1])["team"] == []


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


@pytest.mark.parametrize(("name", "operation"), list(operations()))
def test_the_page_has_every_operation_and_its_method(name: str, operation: dict[str, Any]) -> None:
    method, _, path = name.partition(" ")
    html = page(DESCRIPTION, "http://127.0.0.1:3000")
    heading = f'<span class="method {method.upper()}">{method.upper()}</span> <code>{path}</code>'
    assert f'<details id="{operation["operationId"]}"' in html
    assert heading in html


def words_of(name: str) -> list[str]:
    """The example of one operation, as a shell would split it."""
    method, _, path = name.partition(" ")
    operation = DESCRIPTION["paths"][path][method]
    return shlex.split(curl(path, method, operation, DESCRIPTION["components"]["schemas"], "http://localhost"))


@pytest.mark.parametrize(("name", "operation"), list(operations()))
def test_examples_send_a_body_that_the_description_allows(name: str, operation: dict[str, Any]) -> None:
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    words = words_of(name)
    if schema is None:
        assert "--json" not in words
    else:
        sent = json.loads(words[words.index("--json") + 1])
        assert sent
        jsonschema_rs.validate({**schema, "components": DESCRIPTION["components"]}, sent)


@pytest.mark.parametrize(("name", "operation"), list(operations()))
def test_examples_send_every_header_that_is_required(name: str, operation: dict[str, Any]) -> None:
    headers = [word.partition(":")[0] for word in words_of(name)]
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "header" and parameter.get("required"):
            assert parameter["name"] in headers


def test_examples_of_raw_bodies_send_a_file_of_the_right_type() -> None:
    chunk = words_of("patch /api/v1/files/tus/{id}")
    assert {"Content-Type: application/offset+octet-stream", "--data-binary", "@hello.txt"} <= {*chunk}
    car = words_of("post /api/v1/files/car")
    assert {"Content-Type: application/vnd.ipld.car", "--data-binary", "@site.car"} <= {*car}
    assert words_of("put /api/v1/files/{id}")[-3:-1] == ["-T", "hello.txt"]
    assert "-I" in words_of("head /api/v1/files/tus/{id}")


def test_the_page_is_rendered_once_and_answers_304_while_it_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[str] = []

    def note(description: dict[str, Any], base_url: str) -> str:
        rendered.append(base_url)
        return page(description, base_url)

    monkeypatch.setattr(documentation, "page", note)

    async def go() -> None:
        async with platform(tmp_path) as at:
            one = await at.api.get("/docs")
            other = await at.api.get("/docs", headers={"Host": "other<b>"})
            assert "http://api.test/api/v1/files" in one.text
            assert "<b>" not in other.text
            again = await at.api.get("/docs", headers={"If-None-Match": one.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
            assert one.headers["etag"] != other.headers["etag"]
            assert len(rendered) == 1

    run(go())


def test_the_page_begins_with_a_list_of_its_groups_and_with_uploads() -> None:
    html = page(DESCRIPTION, "http://127.0.0.1:3000")
    for tag in DESCRIPTION["tags"]:
        place = tag["name"].replace(" ", "-")
        assert f'<a href="#{place}">' in html
        assert f'<h2 id="{place}">' in html
    assert html[html.index("<details id=") :].startswith('<details id="upload" open>')
