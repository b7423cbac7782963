"""Why sessions end, in the words that their players show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ottserver.errors import Gone

if TYPE_CHECKING:
    from ottserver.playback.models import Reason

_WHY: dict[Reason, str] = {
    "": "This session has ended.",
    "elsewhere": "This session was ended on another device.",
    "screens": "Your plan's screens have all been taken by other players; this session has ended.",
    "plan": "Your plan does not include this any more.",
    "signed-out": "This device was signed out.",
    "disabled": "This account has been shut out by whoever runs this server.",
    "silent": "Nothing was heard of this player for a long time, so its session has ended.",
    "removed": "The film has been taken out of the library.",
}


def gone(reason: Reason) -> Gone:
    """What a player hears whose session has ended."""
    return Gone(_WHY[reason], extra={"reason": reason})
