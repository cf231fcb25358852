"""Multiaddrs as URLs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinfold.core.errors import InvalidInput
from pinfold.node.retrieval.multiaddr import http_url


@pytest.mark.parametrize(
    ("multiaddr", "url"),
    [
        ("/dns4/example.com/tcp/443/https", "https://example.com"),
        ("/dns/example.com/tcp/443/tls/http", "https://example.com"),
        ("/dns6/Example.COM/tcp/8443/https", "https://example.com:8443"),
        ("/dns/example.com/tcp/443/tls/sni/example.com/http", "https://example.com"),
        ("/ip4/1.2.3.4/tcp/80/http", "http://1.2.3.4"),
        ("/ip4/1.2.3.4/tcp/8080/http/", "http://1.2.3.4:8080"),
        ("/ip6/2606:4700::1111/tcp/8080/http", "http://[2606:4700::1111]:8080"),
        ("/dns/example.com/tcp/443/https/p2p/12D3KooWFkR8", "https://example.com"),
        ("/dns/example.com/tcp/443/https/http-path/a%2Fb%20c", "https://example.com/a/b%20c"),
        ("/dns/example.com/tcp/443/https/http-path/a/p2p/12D3KooWFkR8", "https://example.com/a"),
        ("/dns/example.com/tcp/80/https", "https://example.com:80"),
    ],
)
def test_an_http_multiaddr_is_a_url(multiaddr: str, url: str) -> None:
    assert http_url(multiaddr) == url


@pytest.mark.parametrize(
    ("multiaddr", "words"),
    [
        ("", "no multiaddr"),
        ("http://example.com", "no multiaddr"),
        ("/", "no multiaddr"),
        ("/ip4/1.2.3.4/tcp/4001", "only HTTP"),
        ("/ip4/1.2.3.4/tcp/4001/p2p/12D3KooWFkR8", "only HTTP"),
        ("/ip4/1.2.3.4/udp/4001/quic-v1", "only HTTP"),
        ("/dns/example.com/tcp/443/wss", "only HTTP"),
        ("/dnsaddr/bootstrap.libp2p.io", "only HTTP"),
        ("/unix/tmp/x/tcp/80/http", "only HTTP"),
        ("/ip4/1.2.3/tcp/80/http", "valid address"),
        ("/ip4/0x7f.0.0.1/tcp/80/http", "valid address"),
        ("/ip4/01.2.3.4/tcp/80/http", "valid address"),
        ("/ip6/::g/tcp/80/http", "valid address"),
        ("/ip6/fe80::1%eth0/tcp/80/http", "zone"),
        ("/dns/exa mple.com/tcp/80/http", "host name"),
        ("/dns/user@example.com/tcp/80/http", "host name"),
        ("/dns/example.com:99/tcp/80/http", "host name"),
        ("/dns//tcp/80/http", "host name"),
        ("/dns/example.com/tcp/0/http", "port"),
        ("/dns/example.com/tcp/65536/http", "port"),
        ("/dns/example.com/tcp/٣/http", "port"),
        ("/dns/example.com/tcp/443/tls/sni/other.example/http", "TLS name"),
        ("/dns/example.com/tcp/443/https/ws", "/ws"),
        ("/dns/example.com/tcp/443/https/http-path/..%2F..%2Fadmin", "climbs"),
        ("/dns/" + "a" * 2000, "2,005"),
    ],
)
def test_everything_else_is_refused_with_a_word(multiaddr: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        http_url(multiaddr)


@given(st.lists(st.sampled_from(["dns", "ip4", "tcp", "80", "http", "tls", "1.2.3.4", "sni", "p2p", ""]) | st.text()))
def test_any_text_is_a_url_or_refused(parts: list[str]) -> None:
    try:
        assert http_url("/" + "/".join(parts)).startswith(("http://", "https://"))
    except InvalidInput:
        pass
