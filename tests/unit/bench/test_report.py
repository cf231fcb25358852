"""The bench reports what it measured, and says by how much a target was missed."""

from __future__ import annotations

import json

from bench.measure import Sample
from bench.model import Job, Results, Target
from bench.report import Finished, as_json, of_growth, of_job, summary


def finished(limit: float, scale: float = 1.0) -> Finished:
    results = Results(
        {
            "pinfold": [Sample(1.0, 50 << 20), Sample(9.0, 60 << 20), Sample(2.0, 40 << 20)],
            "kubo": [Sample(4.0, 80 << 20), Sample(3.0, 80 << 20), Sample(5.0, 80 << 20)],
        }
    )
    targets = [Target("faster than Kubo", lambda r: r.faster_than("kubo"), "at least", limit)]
    return Finished(Job("add", "add something", 100, "MiB", [], targets), results, scale)


def test_a_ratio_is_one_of_medians() -> None:
    assert finished(1).results.faster_than("kubo") == 2.0


def test_peak_memory_is_the_worst_run() -> None:
    assert finished(1).results.peak_bytes("pinfold") == 60 << 20


def test_a_met_target_is_called_met() -> None:
    assert "2 x, to be at least 1.5 x: met" in of_job(finished(1.5))


def test_a_missed_target_says_by_how_much() -> None:
    assert "**missed by 50%**" in of_job(finished(4.0))
    assert "missed by 50%" in summary([finished(4.0)])


def test_part_of_the_work_is_called_that() -> None:
    assert "at 0.02 of the full work" in of_job(finished(1, scale=0.02))


def test_growth_says_how_much_longer_more_work_takes() -> None:
    assert "(1.0 x)" in of_growth([finished(1, 0.1), finished(1)])


def test_json_has_every_run() -> None:
    job = json.loads(as_json([finished(4.0)]))["jobs"][0]
    assert [run["seconds"] for run in job["contenders"]["pinfold"]["runs"]] == [1.0, 9.0, 2.0]
    assert job["targets"][0]["met"] is False
