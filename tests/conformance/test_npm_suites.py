"""The npm suites of ``make engines`` run, and can fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.npm import run_compliance, run_script


class NoPinningService(BaseHTTPRequestHandler):
    """Answers everything with 404 and no JSON."""

    def answer(self) -> None:
        """Refuse."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def no_pinning_service() -> Iterator[str]:
    """The URL of a server that is no pinning service."""
    with ThreadingHTTPServer(("127.0.0.1", 0), NoPinningService) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/psa"
        server.shutdown()
        thread.join()


@pytest.mark.npm
@pytest.mark.shared
def test_the_compliance_suite_passes_nothing_that_is_no_pinning_service(no_pinning_service: str) -> None:
    report = run_compliance(no_pinning_service, "token")
    assert report.total == 9
    assert report.passed == 0, report.text
    assert len(report.failures) == 9
    assert "Request with invalid token" in report.failures


@pytest.mark.npm
def test_a_script_may_use_the_pinning_service_client() -> None:
    script = """
        import { Status } from '@ipfs-shipyard/pinning-service-client'
        console.log(JSON.stringify({ pinned: Status.Pinned, argument: process.argv[2] }))
    """
    assert json.loads(run_script(script, "one")) == {"pinned": "pinned", "argument": "one"}
