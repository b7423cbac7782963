"""Counts what players say of themselves, by title and rendition, for a bounded number of titles."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, SummaryMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from ottserver.delivery.cmcd import Report

TITLES = 100
"""Titles told apart: those that were reported of most lately."""
OTHERS = "others"
_LABELS = ["title", "rendition"]


class _Counts:
    __slots__ = ("kbits", "reports", "samples", "stalls", "starts")

    def __init__(self) -> None:
        self.reports = self.stalls = self.starts = self.samples = self.kbits = 0

    def take(self, other: _Counts) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class PlayerReports(Collector):
    """Counters of reports; a title that nobody watches any more goes on in the sum of the others."""

    def __init__(self, registry: CollectorRegistry, titles: int = TITLES) -> None:
        """Register in `registry`; tell so many titles apart."""
        self._titles = titles
        self._counts: OrderedDict[str, dict[str, _Counts]] = OrderedDict()
        self._others: dict[str, _Counts] = {}
        registry.register(self)

    def add(self, title: str, rendition: str, report: Report) -> None:
        """Count a report made with a request for a segment of the rendition."""
        renditions = self._counts.get(title)
        if renditions is None:
            renditions = self._counts[title] = {}
            if len(self._counts) > self._titles:
                _, gone = self._counts.popitem(last=False)
                for name, past in gone.items():
                    self._others.setdefault(name, _Counts()).take(past)
        else:
            self._counts.move_to_end(title)
        counts = renditions.setdefault(rendition, _Counts())
        counts.reports += 1
        counts.stalls += report.starved
        counts.starts += report.starting
        if report.throughput:
            counts.samples += 1
            counts.kbits += report.throughput

    def collect(self) -> Iterator[Metric]:
        """What stands there now."""
        reports = CounterMetricFamily(
            "ott_player_reports", "Requests with which a player told of itself", labels=_LABELS
        )
        stalls = CounterMetricFamily(
            "ott_player_stalls", "Requests with which it said that its buffer had run dry", labels=_LABELS
        )
        starts = CounterMetricFamily(
            "ott_player_starts", "Requests for what it needed at once: to start, to seek, or run dry", labels=_LABELS
        )
        line = SummaryMetricFamily(
            "ott_player_throughput_bits", "Bits a second that players have measured", labels=_LABELS
        )
        for title, renditions in [*self._counts.items(), (OTHERS, self._others)]:
            for rendition, counts in renditions.items():
                labels = [title, rendition]
                reports.add_metric(labels, counts.reports)
                stalls.add_metric(labels, counts.stalls)
                starts.add_metric(labels, counts.starts)
                line.add_metric(labels, counts.samples, counts.kbits * 1000)
        yield from (reports, stalls, starts, line)
