"""What delivery counts (Prometheus)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from ottserver.delivery.reports import PlayerReports

if TYPE_CHECKING:
    from collections.abc import Iterator


class Tally:
    """A count that costs an addition, where prometheus-client's takes a lock: for the one thread that serves."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        """Start at nothing."""
        self.value = 0

    def inc(self, amount: int = 1) -> None:
        """Add to it."""
        self.value += amount


class Tallies(Collector):
    """Tallies under one name, told apart by a label's value."""

    def __init__(self, name: str, documentation: str, label: str, registry: CollectorRegistry) -> None:
        """Register the name with nothing below it."""
        self._said = (name, documentation, label)
        self._tallies: dict[str, Tally] = {}
        registry.register(self)

    def labels(self, value: str) -> Tally:
        """The tally of a label's value."""
        return self._tallies.setdefault(value, Tally())

    def collect(self) -> Iterator[CounterMetricFamily]:
        """What stands there now."""
        name, documentation, label = self._said
        family = CounterMetricFamily(name, documentation, labels=[label])
        for value, tally in self._tallies.items():
            family.add_metric([value], tally.value)
        yield family


class DeliveryMetrics:
    """Counters, with their label values bound once, so that counting costs no look-up."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything in `registry`."""
        requests = Tallies(
            "ott_edge_requests",
            "Bodies asked of the edge: found in memory, fetched, shared with a fetch under way, or read ahead",
            "outcome",
            registry,
        )
        self.hits = requests.labels("hit")
        self.misses = requests.labels("miss")
        self.coalesced = requests.labels("coalesced")
        self.ahead = requests.labels("ahead")
        self.cached_bytes = Gauge("ott_edge_bytes", "Bytes that the edge holds in memory", registry=registry)
        self.players = PlayerReports(registry)
        sent = Tallies("ott_delivery_bytes", "Bytes of bodies handed to the network", "kind", registry)
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
