from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Literal

import pytest

from ottserver import logs
from ottserver.delivery.tickets import Tickets

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def _own_handlers() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("_own_handlers")
@pytest.mark.parametrize("style", ["json", "text"])
def test_no_line_of_log_holds_a_whole_ticket(
    style: Literal["json", "text"], capsys: pytest.CaptureFixture[str]
) -> None:
    video_id = str(uuid.uuid4())
    ticket = Tickets(b"s" * 32, lifetime_seconds=60).issue(
        session_id=str(uuid.uuid4()), video_id=video_id, presentation_id=uuid.uuid4().hex, max_height=720
    )
    logs.configure(style, logging.DEBUG)
    log = logging.getLogger("aiohttp.server")
    log.debug("unreadable request: %r", f"GET /media/{ticket}/x HTTP/9.9".encode())
    log.info("Referer: https://films.example/media/%s/%s/master.m3u8?a=b", ticket, video_id)
    try:
        raise OSError(f"/media/{ticket}")
    except OSError:
        log.exception("failed", extra={"path": f"//media//{ticket}"})
    said = capsys.readouterr().err
    assert said.count(ticket[:6]) >= 3
    assert ticket not in said
    assert ticket[6:] not in said
    assert video_id in said
