"""What the head of every answer says, whichever way the answer is made, and what the log may repeat of a request."""

from __future__ import annotations

import re

from ottserver.ids import new_id

SERVER = "ottserver"
"""Instead of the versions of what it is made with."""
COMMON_HEADERS = {"X-Content-Type-Options": "nosniff"}
"""Of every answer; media have no others, which would travel with every segment for no browser to look at."""
SITE_HEADERS = {
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of all other answers: pages, their files and the API are for this origin's own pages."""
STRICT_TRANSPORT = {"Strict-Transport-Security": "max-age=31536000"}
"""Where users come by https (RFC 6797): browsers then come by nothing else. Other hosts of the domain are not ours."""
MEDIA = "/media/"
REQUEST_ID = "X-Request-Id"

_GOOD_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
_TICKET = re.compile(r"^(/media/[^/]{6})[^/]+")


def request_id(given: str) -> str:
    """The caller's own id of its request where logs cannot trip over it, else a fresh one."""
    return given if given and _GOOD_REQUEST_ID.fullmatch(given) else new_id()


def redacted(path: str) -> str:
    """The path without the better part of a ticket: logs must not let anybody play."""
    return _TICKET.sub(r"\1…", path)
