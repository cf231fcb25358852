"""What all connections of one listening address share."""

from __future__ import annotations

from dataclasses import dataclass, field

from pinfold.http.connections import Connections
from pinfold.http.limits import Limits
from pinfold.http.refusal import Render


@dataclass(frozen=True, slots=True)
class Listener:
    """One listening address: its name in metrics, its limits, its connections, and the form of its refusals."""

    name: str
    connections: Connections
    render: Render
    limits: Limits = field(default_factory=Limits)
