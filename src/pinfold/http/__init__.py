"""What every HTTP server here shares: reading requests strictly, limits of connections, refusals."""
