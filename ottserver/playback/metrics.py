"""What playback counts (Prometheus)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class PlaybackMetrics:
    """Counters of what goes on without the database."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in `registry`."""
        self.granted_from_memory = Counter(
            "ott_plays_granted_from_memory", "Sessions that began while the database was away", registry=registry
        )
        self.waiting = Gauge(
            "ott_playback_sessions_waiting", "Sessions whose row waits for the database", registry=registry
        )
