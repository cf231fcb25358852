"""What the bench says: Markdown for people, JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.model import Job, Results


@dataclass(frozen=True, slots=True)
class Finished:
    """A job with all its runs."""

    job: Job
    results: Results
    scale: float


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = ["| " + " | ".join(header) + " |", "|---|" + "--:|" * (len(header) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Seconds as a person reads them."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def number(value: float) -> str:
    """Three figures, thousands marked."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def machine() -> dict[str, str | int]:
    """Where the figures were measured."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def of_job(finished: Finished) -> str:
    """One job: a row per contender, then every target."""
    job, results = finished.job, finished.results
    first = next(iter(results.samples))
    figures = list(dict.fromkeys(name for runs in results.samples.values() for run in runs for name in run.figures))
    rows = []
    for name, runs in results.samples.items():
        seconds = [run.seconds for run in runs]
        row = [name, duration(results.seconds(name)), f"{duration(min(seconds))} – {duration(max(seconds))}"]
        row += [
            f"{results.seconds(name) / results.seconds(first):.2f} x",
            f"{results.peak_bytes(name) / 2**20:.0f} MiB",
        ]
        row += [number(results.figure(name, figure)) if figure in runs[0].figures else "" for figure in figures]
        rows.append(row)
    count = len(next(iter(results.samples.values())))
    scaled = "" if finished.scale == 1 else f", at {finished.scale:g} of the full work"
    text = f"### {job.name}: {job.title}\n\n{count} runs each, {job.amount:,.0f} {job.unit}{scaled}.\n\n"
    text += table(["", "median", "least – most", f"against {first}", "peak memory", *figures], rows) + "\n"
    for verdict in verdicts(finished):
        text += f"\n- {verdict}"
    return text + "\n"


def verdicts(finished: Finished) -> Iterator[str]:
    """A sentence per target."""
    for target in finished.job.targets:
        value = target.measure(finished.results)
        wanted = (
            f"{target.text}: {number(value)} {target.unit}, to be {target.sense} {number(target.limit)} {target.unit}"
        )
        yield f"{wanted}: met" if target.met(value) else f"{wanted}: **missed by {target.missed_by(value):.0%}**"


def summary(all_finished: Sequence[Finished]) -> str:
    """Every target of every job in one table."""
    rows = []
    for finished in all_finished:
        for target in finished.job.targets:
            value = target.measure(finished.results)
            met = "yes" if target.met(value) else f"missed by {target.missed_by(value):.0%}"
            wanted = f"{target.sense} {number(target.limit)} {target.unit}"
            rows.append([f"{finished.job.title}: {target.text}", wanted, f"{number(value)} {target.unit}", met])
    return table(["job", "target", "measured", "met"], rows)


def of_growth(series: Sequence[Finished]) -> str:
    """One job at ever more work: what each contender's time does meanwhile."""
    job = series[-1].job
    rows = []
    for name in series[-1].results.samples:
        row = [name]
        before: float | None = None
        for finished in series:
            seconds = finished.results.seconds(name)
            times = "" if before is None else f" ({seconds / before:.1f} x)"
            row.append(duration(seconds) + times)
            before = seconds
        rows.append(row)
    header = ["", *(f"{finished.job.amount:,.0f} {finished.job.unit}" for finished in series)]
    return f"### {job.name}: {job.title}\n\n" + table(header, rows) + "\n"


def as_json(all_finished: Sequence[Finished]) -> str:
    """Everything that was measured."""
    jobs = [
        {
            "job": finished.job.name,
            "title": finished.job.title,
            "scale": finished.scale,
            "amount": finished.job.amount,
            "unit": finished.job.unit,
            "contenders": {
                name: {
                    "median_s": finished.results.seconds(name),
                    "peak_bytes": finished.results.peak_bytes(name),
                    "runs": [asdict(run) for run in runs],
                }
                for name, runs in finished.results.samples.items()
            },
            "targets": [
                {
                    "target": target.text,
                    "sense": target.sense,
                    "limit": target.limit,
                    "unit": target.unit,
                    "measured": (value := target.measure(finished.results)),
                    "met": target.met(value),
                }
                for target in finished.job.targets
            ],
        }
        for finished in all_finished
    ]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"measured_at": now, "machine": machine(), "jobs": jobs}, indent=2) + "\n"
