"""The Pinning Service API 1.0.0 at ``/psa``, as its frozen specification says."""
