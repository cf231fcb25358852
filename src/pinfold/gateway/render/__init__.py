"""One form of answer, one file."""
