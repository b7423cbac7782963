"""Capabilities that a URL chooses: one folder each, with Protocol and opener in `__init__` and drivers beside it."""
