"""matinee beside its peers: `make bench`, or `python -m bench NAME...` for some of it."""
