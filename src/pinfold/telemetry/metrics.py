"""The names under which things are counted, each declared once; ``/metrics`` shows them.

Counters and histograms are of this process and begin at 0 with it.  Gauges are set by whoever looks, just before.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside each, which nobody needs

REGISTRY: Final = CollectorRegistry(auto_describe=True)
"""Ours alone: what libraries register elsewhere is not shown."""

ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

# -- the API -----------------------------------------------------------------------------------------------------------

HTTP_REQUESTS: Final = Counter(
    "pinfold_http_requests_total",
    "Requests that the API, or the status address, answered, by the route's template.",
    ("method", "route", "status"),
    registry=REGISTRY,
)
HTTP_DURATION: Final = Histogram(
    "pinfold_http_request_duration_seconds",
    "From a request's head to the end of its answer.",
    ("method", "route"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
    registry=REGISTRY,
)
HTTP_UNDER_WAY: Final = Gauge(
    "pinfold_http_requests_under_way", "Requests that the API has not answered to their end.", registry=REGISTRY
)
HTTP_CONNECTIONS: Final = Gauge(
    "pinfold_http_connections", "Open connections of a listening address.", ("listener",), registry=REGISTRY
)
HTTP_CONNECTIONS_ENDED: Final = Counter(
    "pinfold_http_connections_ended_total",
    "Connections that this server ended, or requests that it refused before any application saw them, by the reason.",
    ("listener", "reason"),
    registry=REGISTRY,
)
UPLOADS: Final = Counter("pinfold_uploads_total", "Files that were uploaded and recorded.", registry=REGISTRY)
UPLOADED_BYTES: Final = Counter(
    "pinfold_uploaded_bytes_total", "Bytes of the files that were uploaded and recorded.", registry=REGISTRY
)

# -- the gateway -------------------------------------------------------------------------------------------------------

GATEWAY_REQUESTS: Final = Counter(
    "pinfold_gateway_requests_total", "Requests that the gateway answered.", ("status",), registry=REGISTRY
)
GATEWAY_BYTES: Final = Counter(
    "pinfold_gateway_sent_bytes_total", "Bytes of bodies that the gateway sent.", registry=REGISTRY
)
GATEWAY_DURATION: Final = Histogram(
    "pinfold_gateway_request_duration_seconds",
    "From a request's head to the end of its answer, which waits for slow clients.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120),
    registry=REGISTRY,
)

# -- what runs later ---------------------------------------------------------------------------------------------------

WEBHOOK_ATTEMPTS: Final = Counter(
    "pinfold_webhook_attempts_total", "Attempts to deliver an event.", ("outcome",), registry=REGISTRY
)
LOOP_SILENCE: Final = Gauge(
    "pinfold_loop_silent_seconds",
    "Since a loop of this process went round the last time; seconds are usual, minutes mean that it is stuck.",
    ("loop",),
    registry=REGISTRY,
)
PERIODIC_RUNS: Final = Counter(
    "pinfold_periodic_runs_total", "Runs of periodic work.", ("job", "outcome"), registry=REGISTRY
)
PERIODIC_DURATION: Final = Gauge(
    "pinfold_periodic_last_duration_seconds", "How long the last run took.", ("job",), registry=REGISTRY
)
RECONCILIATIONS: Final = Counter(
    "pinfold_reconciliations_total",
    "Roots that were looked at; those that `broke` met a bug.",
    ("outcome",),
    registry=REGISTRY,
)

# -- looked up when somebody asks --------------------------------------------------------------------------------------

PINS: Final = Gauge("pinfold_pins", "Pin requests, those of files among them.", ("status",), registry=REGISTRY)
RECONCILIATION_BACKLOG: Final = Gauge(
    "pinfold_reconciliation_backlog", "Roots whose wish and reality may differ.", registry=REGISTRY
)
RECONCILIATION_AGE: Final = Gauge(
    "pinfold_reconciliation_oldest_due_seconds", "For how long the oldest of them has been due.", registry=REGISTRY
)
WEBHOOK_BACKLOG: Final = Gauge(
    "pinfold_webhook_backlog",
    "Deliveries on their way, those that wait to be tried again among them.",
    registry=REGISTRY,
)
WEBHOOK_AGE: Final = Gauge(
    "pinfold_webhook_oldest_due_seconds",
    "For how long the oldest of them has been due, those left out whose receiver failed the last time.",
    registry=REGISTRY,
)
STORE_BYTES: Final = Gauge("pinfold_store_bytes", "Bytes of the store's segments.", registry=REGISTRY)
STORE_BLOCKS: Final = Gauge("pinfold_store_blocks", "Blocks in the store.", registry=REGISTRY)
STORE_PINS: Final = Gauge("pinfold_store_pins", "Pins in the store.", registry=REGISTRY)
STORE_DAMAGED: Final = Gauge(
    "pinfold_store_damaged_blocks",
    "Blocks that a read or a check found damaged, and that nothing has mended since; more than 0 is an alarm.",
    registry=REGISTRY,
)
DATABASE_CONNECTIONS: Final = Gauge(
    "pinfold_database_connections", "Connections of this process's pool.", ("state",), registry=REGISTRY
)
ORGANISATIONS: Final = Gauge("pinfold_organisations", "Organisations.", registry=REGISTRY)
FILES: Final = Gauge("pinfold_files", "Files of all organisations.", registry=REGISTRY)
LOGICAL_BYTES: Final = Gauge(
    "pinfold_logical_bytes",
    "Bytes that all organisations keep, as their quotas count them.",
    registry=REGISTRY,
)
POLL_FAILURES: Final = Counter(
    "pinfold_metrics_poll_failures_total", "Times that gauges could not be looked up.", registry=REGISTRY
)
