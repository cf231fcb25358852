"""One file per command; each has a function ``command`` whose docstring is its help."""
