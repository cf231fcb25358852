"""Origins that can never be meant are refused when they are sent; what merely cannot be used is kept as a hint."""

from __future__ import annotations

import pytest

from pinfold.core.errors import AddressRefused, InvalidInput
from pinfold.services.pins.origins import check_origins

PEER = "12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5"


@pytest.mark.parametrize(
    "origin",
    [
        "/dns4/example.com/tcp/443/https",
        "/dns4/example.com./tcp/443/tls/http",
        "/ip4/1.1.1.1/tcp/80/http",
        "/ip6/2606:4700:4700::1111/tcp/443/https",
        # What Kubo names: it speaks no HTTP there, wherever that is.
        f"/ip4/127.0.0.1/tcp/4001/p2p/{PEER}",
        f"/ip4/192.168.1.7/udp/4001/quic-v1/webtransport/certhash/uEi/p2p/{PEER}",
        f"/ip6/::1/tcp/4001/p2p/{PEER}",
        f"/dns4/localhost/tcp/4001/ws/p2p/{PEER}",
        f"/ip4/1.2.3.4/udp/4001/quic-v1/p2p/{PEER}/p2p-circuit",
        f"/p2p/{PEER}",
        "/dnsaddr/bootstrap.libp2p.io",
        "/unix/run/x.sock",
        "/ip4/1.2.3.4",
        "/dns4/example.com/tcp/4001/tls/sni/*.example.com/ws/",
        f"/ip4/1.2.3.4/protocol-of-tomorrow/tcp/p2p/{PEER}",
    ],
)
def test_a_hint_is_kept(origin: str) -> None:
    check_origins([origin], allow_private=False)


@pytest.mark.parametrize(
    "origin",
    [
        *("/", "//", "/x", "/ip4", "/ip4/", "/http/x", "/ip4/300.1.1.1", "/ip6/1.2.3.4/tcp/1", "x", ""),
        *("/ip4/1.1.1.1/tcp", "/ip4/1.1.1.1/tcp/", "/ip4/1.1.1.1/tcp/99999/http", "/ip4/1.1.1.1/udp/-1/quic-v1"),
        *("/dns4/-bad-/tcp/443/https", "/dnsaddr/a..b", "/dns4/example.com/tcp/http", "/ip4/1.1.1.1/tcp/٣/http"),
        "/ip4/1.1.1.1/tcp/4001/p2p/",
    ],
)
def test_what_is_no_multiaddr_is_refused(origin: str) -> None:
    with pytest.raises(InvalidInput, match="is no multiaddr"):
        check_origins(["/ip4/1.1.1.1/tcp/80/http", origin], allow_private=True)


@pytest.mark.parametrize(
    "origin",
    [
        "/ip4/127.0.0.1/tcp/8080/http",
        "/ip4/10.0.0.1/tcp/443/https",
        f"/ip4/169.254.169.254/tcp/80/http/p2p/{PEER}",
        "/ip6/::ffff:127.0.0.1/tcp/80/http",
        "/ip6/fd00::1/tcp/443/tls/http",
        "/dns4/localhost./tcp/80/http",
        "/dns4/2130706433/tcp/80/http",
        "/dns/0x7f.1/tcp/80/http",
    ],
)
def test_what_would_be_asked_inside_the_network_is_refused_unless_that_is_allowed(origin: str) -> None:
    with pytest.raises(AddressRefused, match="public internet") as refused:
        check_origins([origin], allow_private=False)
    assert "PINFOLD_ALLOW_PRIVATE_ORIGINS" in (refused.value.hint or "")
    check_origins([origin], allow_private=True)
