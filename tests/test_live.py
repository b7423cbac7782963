from __future__ import annotations

from ottserver.live import QUEUE_LIMIT, LiveFeed, Progress


def test_every_listener_hears_every_message() -> None:
    feed = LiveFeed()
    feed.publish("film", {"n": 0})
    with feed.listening() as one, feed.listening() as other:
        feed.publish("film", {"n": 1})
        assert one.get_nowait() == other.get_nowait() == Progress("film", {"n": 1})
        assert one.empty()


def test_listener_that_has_left_hears_nothing() -> None:
    feed = LiveFeed()
    with feed.listening() as queue:
        pass
    feed.publish("film", {})
    assert queue.empty()


def test_slow_listener_loses_the_oldest_messages_only() -> None:
    feed = LiveFeed()
    with feed.listening() as queue:
        for number in range(QUEUE_LIMIT + 10):
            feed.publish("film", {"n": number})
        kept = [queue.get_nowait().payload["n"] for _ in range(queue.qsize())]
    assert kept == list(range(10, QUEUE_LIMIT + 10))
