"""A streaming platform of one's own: accounts, plans, ingest, just-in-time transcoding and delivery."""

__version__ = "0.1.0"
