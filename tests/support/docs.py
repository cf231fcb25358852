"""The reference pages, made from the program: ``python -m tests.support.docs`` (``make docs``) writes them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

from pinfold.cli import exit_codes, groups, table
from pinfold.settings import document
from pinfold.telemetry import metrics

DOCS = Path(__file__).resolve().parents[2] / "docs"

_CLI_HEAD = """\
# The command line

What `--help` prints, for every command. A path is a CID, `CID/a/b`, `/ipfs/CID/a/b` or `ipfs://CID/a/b`. Flags may also
be written as Kubo's are (`--pin=false`). How each command can end stands in [exit-codes.md](exit-codes.md).
"""

_MONITORING_HEAD = """\
# Monitoring

| path | asks | for |
|---|---|---|
| `/ping` | whether anybody is there; nothing else | a first look |
| `/health` | database, engine, and the loops of the process: those of its workers, and `counts`, which writes down \
what was counted; and whether any worker runs | people and alarms |
| `/ready` | the same, that the database has this version's schema, that it can be written to, and that the disk has \
some MiB of room | load balancers |
| `/metrics` | counters of this process, and gauges of the whole platform | Prometheus |

`pinfold up` and `pinfold api` answer them at the API's address. A worker has no address, and the gateway's is open to
the world and answers none of them: for those, set `status_address` (or `--status-address`), at which a process of any
role answers these four about itself. It is off unless it is set, since several processes on one machine need one each:

```sh
pinfold worker --status-address 127.0.0.1:3010 &
pinfold gateway --status-address 127.0.0.1:3011 &
```

`/health` and `/ready` answer 503 where a part is not well, and `data.checks` says which. A loop that has ended, or has
not gone round for a minute, makes `worker` (or `counts`) say so; where the whole process is stuck, nothing answers. A
gateway that runs alone serves content without the database and without room on the disk, and is ready without them;
its `/health` tells of the database all the same.

An API that is no worker itself judges by the periodic work that workers record in the database. Where none was recorded
for 120 seconds, or ever, its `/health` answers 503 and names `worker`, and the status of a queued file or pin says why
it waits. `/ready` stays 200, since the API can take requests. When all processes start anew, `/health` of the API may
answer 503 until the first worker has done its first periodic work, some seconds after its start.

`data.warnings` of `/health` has what needs attention and makes nothing fail: requests that come through a proxy that
`trusted_proxies` does not name. Those who may read `data.checks` may read it. Only the API's own address has it.

`/metrics` is for programs on this machine (a proxy's requests are not theirs) and for tokens with the scope
`server:admin`; the setting `metrics_access` changes that, at either address. `/ping`, `/health` and `/ready` answer
anybody who reaches the address. Each process has counters of its own; gauges are the same at all of them, but for
`pinfold_loop_silent_seconds`, `pinfold_database_connections` and `pinfold_http_requests_under_way`.

## Log lines

On standard error, as JSON unless that is a terminal; with `log_file` also in a file, which is renamed when it is full.
Every line of a request has its `request_id`, which the answer carries as `X-Request-Id` and the audit log as well. A
client may send one of its own (letters, digits, `.`, `_`, `-`; 64 at most). Tokens, secrets of webhooks, passwords in
URLs and `Authorization` headers are never written.

## Metrics

| name | kind | labels | meaning |
|---|---|---|---|
"""

_EXIT_HEAD = """\
# Exit codes

Tens are families, so `$? / 10` is enough for most scripts. The message on standard error is `Error: ...`, and
`Hint: ...` where there is something to try; with `--json` it is one object, `{"error", "code", "hint"}`.

| exit code | meaning |
|---:|---|
"""


def cli() -> str:
    """``docs/cli.md``."""
    parts = [_CLI_HEAD, _section("pinfold", "", "##")]
    for words in table.COMMANDS:
        parts.append(_section(f"pinfold {words}", words, "###" if " " in words else "##"))
    return "\n".join(parts)


def _section(title: str, words: str, heading: str) -> str:
    command = groups.load(words) if words else groups.program()
    context = command.context_class(command, info_name=title, terminal_width=100, help_option_names=["-h", "--help"])
    return f"{heading} `{title}`\n\n```text\n{command.get_help(context)}\n```\n"


def codes() -> str:
    """``docs/exit-codes.md``."""
    program = [f"| {code} | {meaning} |" for code, meaning in exit_codes.PROGRAM_CODES.items()]
    errors = [
        f"| {code} | `{cls.code}`: {inspect.cleandoc(cls.__doc__ or '').splitlines()[0]} |"
        for cls, code in exit_codes.ERROR_CODES.items()
        if code not in exit_codes.PROGRAM_CODES
    ]
    return _EXIT_HEAD + "\n".join(program) + "\n\n| exit code | error |\n|---:|---|\n" + "\n".join(errors) + "\n"


def monitoring() -> str:
    """``docs/monitoring.md``."""
    rows = []
    for metric in vars(metrics).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            shown = f"`{metric._name}{'_total' if isinstance(metric, Counter) else ''}`"
            labels = ", ".join(f"`{label}`" for label in metric._labelnames)
            rows.append(f"| {shown} | {type(metric).__name__.lower()} | {labels} | {metric._documentation} |")
    return _MONITORING_HEAD + "\n".join(sorted(rows)) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli,
    "exit-codes.md": codes,
    "monitoring.md": monitoring,
    "settings.md": document.markdown,
}


def main() -> None:
    """Write every page."""
    for name, text in PAGES.items():
        (DOCS / name).write_text(text(), encoding="utf-8")
        print(f"docs/{name}")


if __name__ == "__main__":
    main()
