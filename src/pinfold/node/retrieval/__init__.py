"""Content that is not here comes by verified HTTP: trustless gateways, origins, and providers that routers name."""
