"""The parts of the Pinning Service API that need no platform."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pinfold.api.pinning.delegates import delegate_of
from pinfold.api.pinning.query import parse_time
from pinfold.core.errors import InvalidInput


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8080", "/ip4/127.0.0.1/tcp/8080/http/p2p/"),
        ("https://ipfs.example.com", "/dns/ipfs.example.com/tcp/443/tls/http/p2p/"),
        ("http://[::1]:8080", "/ip6/::1/tcp/8080/http/p2p/"),
    ],
)
def test_a_delegate_is_where_the_gateway_is_with_a_well_formed_peer_id(url: str, address: str) -> None:
    delegate = delegate_of(url)
    assert delegate.startswith(address)
    peer = delegate.rpartition("/")[2]
    assert peer.startswith("12D3KooW")
    assert len(peer) == 52
    assert delegate == delegate_of(url)


def test_delegates_of_two_places_differ() -> None:
    assert delegate_of("http://a.example").rpartition("/")[2] != delegate_of("http://b.example").rpartition("/")[2]
    with pytest.raises(ValueError, match="no HTTP address"):
        delegate_of("ftp://a.example")


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31t12:00:00z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00.5Z", datetime(2026, 1, 31, 12, microsecond=500_000, tzinfo=UTC)),
        ("2026-01-31T12:00:00.123456789Z", datetime(2026, 1, 31, 12, microsecond=123_456, tzinfo=UTC)),
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31T12:00:00 02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_rfc_3339_writes_them(text: str, time: datetime) -> None:
    assert parse_time("before", text) == time
    assert parse_time("before", text).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-02-30T12:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "٢٠٢٦-01-31T12:00:00Z",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_time("before", text)
