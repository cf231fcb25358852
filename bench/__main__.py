"""``python -m bench [JOB …]``: measure, print Markdown, keep JSON."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.support.kubo import IPFS

from bench import report
from bench.jobs import JOBS
from bench.measure import BenchFailed, Sample
from bench.model import Job, Results, Workspace, remove
from bench.report import Finished

RESULTS = Path(__file__).resolve().parent / "results"
QUICK = 0.02  # enough to see that every job runs; the figures say little
GROWTH = (0.01, 0.1, 1.0)  # the full work is 100 x the least


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """The command line, read."""
    jobs = f"Jobs: {', '.join(JOBS)}.  A full run needs about 20 GiB of disk; run nothing else meanwhile."
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure Pinfold beside Kubo and beside what the machine can do at all.",
        epilog=textwrap.fill(jobs, break_on_hyphens=False),  # a name in two parts cannot be copied
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="which jobs (all of them by default)")
    parser.add_argument("--runs", type=int, help="runs of each contender (3 to 11 by default, by job)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:g} of the work, once: does it run at all?")
    parser.add_argument("--scale", type=float, default=1.0, help="a part of the full work, as 0.1")
    parser.add_argument("--growth", action="store_true", help="each job at 1, 10 and 100 times the work")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the JSON goes (bench/results/ by default)")
    parser.add_argument("--work", type=Path, default=Path("/var/tmp"), metavar="DIR", help="a folder on a real disk")
    parser.add_argument("--keep-sources", action="store_true", help="leave generated content in DIR for the next time")
    read = parser.parse_args(words)
    unknown = sorted(set(read.jobs) - set(JOBS))
    if unknown:
        parser.error(f"no such job: {', '.join(unknown)}; there are {', '.join(JOBS)}")
    return read


def measure(job: Job, runs: int) -> Results:
    """Run every contender in turn, ``runs`` times round."""
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in job.contenders}
    try:
        for contender in job.contenders:
            contender.set_up()
        for turn in range(runs):
            for contender in job.contenders:
                contender.before()
                os.sync()  # what the run before left unwritten must not slow this one down
                sample = contender.run()
                samples[contender.name].append(sample)
                print(f"  {job.name} {turn + 1}/{runs} {contender.name}: {sample.seconds:.3f} s", file=sys.stderr)
    finally:
        for contender in job.contenders:
            contender.tear_down()
    said = {sample.output for taken in samples.values() for sample in taken if sample.output}
    if job.same_output and len(said) > 1:
        raise BenchFailed(f"{job.name}: the contenders do not agree: {', '.join(sorted(said))}")
    return Results(samples)


def run_all(options: argparse.Namespace, space: Workspace) -> list[Finished]:
    """Run what was asked for, printing each job's table when it is done."""
    scales = GROWTH if options.growth else (QUICK if options.quick else options.scale,)
    finished: list[Finished] = []
    for name in options.jobs or JOBS:
        series = []
        for scale in scales:
            job = JOBS[name](space, scale)
            runs = options.runs or (1 if options.quick else job.runs)
            series.append(Finished(job, measure(job, runs), scale))
        print((report.of_growth(series) if options.growth else report.of_job(series[0])), flush=True)
        finished += series
    return finished


def main() -> int:
    """Measure; 0 when every job ran, whether or not its targets were met."""
    options = arguments(sys.argv[1:])
    if not IPFS.exists():
        print("The bench compares with a real Kubo; run make engines first.", file=sys.stderr)
        return 1
    options.work.mkdir(parents=True, exist_ok=True)
    if options.keep_sources:
        root = options.work / "pinfold-bench"
        root.mkdir(exist_ok=True)
    else:
        root = Path(tempfile.mkdtemp(prefix="pinfold-bench-", dir=options.work))
    space = Workspace(root)
    try:
        where = report.machine()
        print(f"{where['processor']}, {where['cores']} cores, {where['system']}, Python {where['python']}.\n")
        finished = run_all(options, space)
    except BenchFailed as exc:
        print(f"bench: {exc}", file=sys.stderr)
        return 1
    finally:
        remove(root / "runs" if options.keep_sources else root)
    if not options.growth:
        print("### All targets\n\n" + report.summary(finished))
    target = options.json or RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(report.as_json(finished))
    print(f"\nwritten: {target}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
