"""What checks found, as JSON and as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinfold.cli import output

if TYPE_CHECKING:
    from pinfold.node.model import Problem, VerifyReport


def problem_fields(problem: Problem) -> dict[str, output.Json]:
    """One problem as JSON."""
    return {
        "kind": problem.kind.value,
        "message": problem.message,
        "cid": str(problem.cid) if problem.cid else None,
        "pins": [str(pin) for pin in problem.pins],
    }


def verify_fields(report: VerifyReport) -> dict[str, output.Json]:
    """One report of a pin as JSON."""
    return {
        "ok": report.ok,
        "blocks": report.blocks,
        "bytes": report.bytes,
        "problems": [problem_fields(problem) for problem in report.problems],
    }


def problem_lines(problem: Problem) -> None:
    """Print one problem, with the pins that need what is bad."""
    output.line(f"{problem.kind.value}: {problem.message}")
    for pin in problem.pins:
        output.line(f"  needed by pin {pin}")
