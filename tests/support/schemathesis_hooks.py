"""What schemathesis loads beside the description: bodies that are plain bytes, and a record of what was answered."""

from __future__ import annotations

import os
import threading
from typing import Any

import schemathesis

RECORD = "PINFOLD_TEST_RECORD"
"""Names the file that gets a line for each request: the operation, the method, the status, between tabs."""
SPARED = "PINFOLD_TEST_SPARED"
"""Ids, between commas, that nothing is changed or removed under: else a run would saw off the branch it sits on."""
_NOBODY = "00000000-0000-7000-8000-000000000000"
_lock = threading.Lock()


@schemathesis.serializer("application/offset+octet-stream", "application/vnd.ipld.car")
def as_bytes(ctx: Any, value: Any) -> bytes:
    """The body as it is."""
    if isinstance(value, bytes):
        return value
    data = getattr(value, "data", None)  # text that stands for bytes
    return data if isinstance(data, bytes) else str(value).encode(errors="surrogatepass")


@schemathesis.hook
def before_call(ctx: Any, case: Any, kwargs: Any) -> None:
    """Keep changes off what the run itself lives on."""
    if case.method != "GET" and case.path_parameters:
        spared = os.environ[SPARED].split(",")
        for name, value in case.path_parameters.items():
            if value in spared:
                case.path_parameters[name] = _NOBODY
            elif case.operation.path == "/api/v1/admin/plans/{name}" and value == "unlimited":
                case.path_parameters[name] = "limited"


@schemathesis.hook
def after_call(ctx: Any, case: Any, response: Any) -> None:
    """Note the answer."""
    with _lock, open(os.environ[RECORD], "a") as record:
        record.write(f"{case.operation.label}\t{case.method}\t{response.status_code}\n")
