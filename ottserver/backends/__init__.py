"""Capabilities that a URL chooses: one folder each, its `__init__` the Protocol and the opener, beside it only drivers."""
