"""What delivery counts (Prometheus)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class DeliveryMetrics:
    """Counters, with their label values bound once, so that counting costs no look-up."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in `registry`."""
        requests = Counter(
            "ott_edge_requests",
            "Bodies asked of the edge: found in memory, fetched, or shared with a fetch under way",
            ["outcome"],
            registry=registry,
        )
        self.hits = requests.labels("hit")
        self.misses = requests.labels("miss")
        self.coalesced = requests.labels("coalesced")
        self.cached_bytes = Gauge("ott_edge_bytes", "Bytes that the edge holds in memory", registry=registry)
        sent = Counter("ott_delivery_bytes", "Bytes of bodies handed to the network", ["kind"], registry=registry)
        self.manifest_bytes = sent.labels("manifest")
        self.segment_bytes = sent.labels("segment")
        self._denied = Counter(
            "ott_delivery_denied",
            "Requests refused for their ticket, by what was wrong with it",
            ["reason"],
            registry=registry,
        )

    def denied(self, reason: str) -> None:
        """Count a refused request."""
        self._denied.labels(reason).inc()
