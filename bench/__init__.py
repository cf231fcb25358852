"""How fast Pinfold is beside Kubo and beside what the machine can do at all (``make bench``)."""
