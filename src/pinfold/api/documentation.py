"""The page at ``/docs``, made from the OpenAPI description: no script, nothing from the network."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup, escape

from pinfold.api.examples import curl, example

router = APIRouter(include_in_schema=False)

_METHODS: Final = ("get", "head", "options", "post", "put", "patch", "delete")
_BASE_URL: Final = "http://base-url.invalid"  # stands where the URL of the server goes
_FIRST: Final = "/api/v1/files/upload"  # what most people come for
_CODE: Final = re.compile(r"`([^`]+)`")


def _with_code(text: str) -> Markup:
    """The text, escaped, with what stands between backticks set as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


_templates = Environment(loader=PackageLoader("pinfold.api"), autoescape=select_autoescape(), trim_blocks=True)
_templates.filters["with_code"] = _with_code


@router.get("/")
async def home() -> RedirectResponse:
    """Leads to the page."""
    return RedirectResponse("/docs")


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Every endpoint, field, error and example."""
    base_url = str(request.base_url).rstrip("/")
    before, after = _page_around(request.app)
    html = str(escape(base_url)).encode().join((before, *after))
    tag = f'"{hashlib.sha256(html).hexdigest()[:32]}"'
    headers = {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        "ETag": tag,
        "Cache-Control": "no-cache",  # ask whether it changed: an upgrade changes it
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(html, media_type="text/html", headers=headers)


@cache
def _page_around(api: FastAPI) -> tuple[bytes, tuple[bytes, ...]]:
    """The page, rendered once: what stands before, between and behind the server's own URL, which each caller gives."""
    first, *others = page(api.openapi(), _BASE_URL).encode().split(_BASE_URL.encode())
    return first, tuple(others)


def page(openapi: dict[str, Any], base_url: str) -> str:
    """The page as HTML."""
    schemas: dict[str, Any] = openapi["components"]["schemas"]
    operations = [
        _operation(path, method, item[method], schemas, base_url)
        for path, item in openapi["paths"].items()
        for method in _METHODS
        if method in item
    ]
    operations.sort(key=lambda one: one["path"] != _FIRST)  # all others stay as they are
    return _templates.get_template("docs.html").render(
        info=openapi["info"],
        tags=[(tag, [one for one in operations if tag["name"] in one["tags"]]) for tag in openapi["tags"]],
    )


def _operation(
    path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any], base_url: str
) -> dict[str, Any]:
    parameters = [
        {
            "name": parameter["name"],
            "in": parameter["in"],
            "required": parameter.get("required", False),
            "type": _type(parameter["schema"], schemas),
            "description": parameter.get("description", ""),
        }
        for parameter in operation.get("parameters", [])
    ]
    body = operation.get("requestBody", {}).get("content", {})
    form = body.get("multipart/form-data", {}).get("schema")
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "tags": operation.get("tags", []),
        "summary": operation["summary"],
        "description": operation.get("description", ""),
        "parameters": parameters,
        "body_type": next(iter(body), ""),
        "body": _fields(form or body.get("application/json", {}).get("schema", {}), schemas),
        "answers": [_answer(status, response, schemas) for status, response in sorted(operation["responses"].items())],
        "curl": curl(path, method, operation, schemas, base_url),
    }


def _answer(status: str, response: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    is_good = status.startswith("2")
    return {
        "status": status,
        "description": response["description"],
        "fields": _fields(_data_of(schema, schemas), schemas) if is_good else [],
        "example": json.dumps(example(schema, schemas), indent=2, ensure_ascii=False) if is_good and schema else "",
    }


def _data_of(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema inside the envelope."""
    found: dict[str, Any] = _resolve(schema, schemas).get("properties", {}).get("data", {})
    return found


def _resolve(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema itself, where it is given by name, as one of several, or as what a list holds."""
    for _ in range(8):  # deeper than any schema of ours refers
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        elif "anyOf" in schema:
            schema = schema["anyOf"][0]
        elif schema.get("type") == "array":
            schema = schema["items"]
        else:
            break
    return schema


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> list[dict[str, str]]:
    properties: dict[str, Any] = _resolve(schema, schemas).get("properties", {})
    return [
        {"name": name, "type": _type(field, schemas), "description": field.get("description", "")}
        for name, field in properties.items()
    ]


def _type(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        values: list[str] = schemas[name].get("enum", [])
        return " | ".join(values) if values else name
    if "anyOf" in schema:
        return " or ".join(_type(one, schemas) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'], schemas)}"
    return str(schema.get("format") or schema.get("type") or "any")
