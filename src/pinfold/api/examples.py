"""Examples made from the OpenAPI description: of what is sent and answered, and of a call by ``curl``."""

from __future__ import annotations

import json
import shlex
from typing import Any, Final

_JSON: Final = "application/json"
_FORM: Final = "multipart/form-data"
_FILES: Final = {"application/vnd.ipld.car": "@site.car"}


def example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """An example of what ``schema`` describes, from the examples of its fields."""
    if schema.get("examples"):
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return example(schema["anyOf"][0], schemas)
    if schema.get("type") == "array":
        return [example(schema["items"], schemas)]
    if "properties" in schema:
        return {name: example(field, schemas) for name, field in schema["properties"].items()}
    return schema.get("enum", [None])[0]


def body_example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """An example of a JSON body; what would be null is left out, as it may be."""
    made = example(schema, schemas)
    if not isinstance(made, dict):
        return made
    return {name: value for name, value in made.items() if value is not None and value != [None]}


def curl(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any], base_url: str) -> str:
    """The command line of one call, with its body and the headers that it needs."""
    body: dict[str, Any] = operation.get("requestBody", {})
    kind = next(iter(body.get("content", {})), "")
    words = ["curl", *_method(method, kind)]
    if operation.get("security"):
        words.append('-H "Authorization: Bearer $TOKEN"')  # double quotes: the shell puts the token in
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "header" and parameter.get("required"):
            words.append(f'-H "{parameter["name"]}: {example(parameter["schema"], schemas)}"')
    if kind == _FORM:
        words.append("-F file=@hello.txt")
    elif kind == _JSON:
        sent = body_example(body["content"][_JSON]["schema"], schemas)
        words.append("--json " + shlex.quote(json.dumps(sent, ensure_ascii=False)))
    elif method == "put":
        words.append("-T hello.txt")  # as it is, and without a type that curl makes up
    elif kind and body.get("required"):
        words += [f'-H "Content-Type: {kind}"', f"--data-binary {_FILES.get(kind, '@hello.txt')}"]
    return " ".join([*words, base_url + path])


def _method(method: str, kind: str) -> list[str]:
    by_itself = method == "get" or (method == "post" and kind in (_FORM, _JSON)) or (method == "put" and kind != _JSON)
    if by_itself:
        return []
    return ["-I"] if method == "head" else [f"-X {method.upper()}", *(["-i"] if method == "options" else [])]
