"""The gate: what a cache in front may do with an address, so that it can ask before it serves what it keeps.

`Delivery` answers players; the gate answers nginx (auth_request), Caddy (forward_auth) and their like, and refuses what
`Delivery` would refuse. It also tells for a whole title at once, of an address that ends after the presentation: then
`above` names what the plan leaves out, and one question is enough for all renditions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ottserver.delivery.ladder import above
from ottserver.delivery.paths import MANIFESTS, ORIGINAL_MASTER, ORIGINAL_MPD
from ottserver.delivery.service import Shut
from ottserver.delivery.tickets import Refusal

if TYPE_CHECKING:
    from ottserver.delivery.service import Delivery
    from ottserver.delivery.tickets import Ticket, Tickets
    from ottserver.media import Presentation

_PLAIN = re.compile(r"([A-Za-z0-9_-]+)/[A-Za-z0-9_-]+\.[A-Za-z0-9]+", re.ASCII)
"""Rendition and file: nothing that a cache might read in another way, such as dots, escapes or two slashes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an address may be served, and for how long that is true while nobody can be asked again."""

    opens: bool
    keep_seconds: int
    """0 where nothing is to be remembered: what was made up must not push out what is true."""
    above: tuple[str, ...] = ()
    """The renditions of the presentation that the plan leaves out."""


class Gate:
    """Judges addresses without touching any bytes."""

    def __init__(self, delivery: Delivery, tickets: Tickets) -> None:
        """Refuse what `delivery` refuses; `tickets` says until when."""
        self._delivery = delivery
        self._tickets = tickets

    async def judge(self, path: str) -> Verdict:
        """The verdict on a raw path, without its query. Raises `NotFound` when the title is gone.

        Waits only for a presentation that this process has not seen yet. The session counts as one that fetches.
        """
        try:
            ticket, inside = self._delivery.admit(path)
            presentation = await self._delivery.presentation(ticket.presentation_id)
            self._look(ticket, presentation, inside)
        except Shut as shut:
            # Of what was once true somebody may have kept that it is, and must be told otherwise.
            known = shut.reason is Refusal.REVOKED
            return Verdict(opens=False, keep_seconds=self._tickets.lifetime_seconds if known else 0)
        self._delivery.note(ticket)
        left = self._tickets.seconds_left(ticket)
        return Verdict(opens=True, keep_seconds=left, above=above(presentation, ticket.max_height))

    def _look(self, ticket: Ticket, presentation: Presentation, inside: str) -> None:
        """Raise `Shut` unless `inside` lies in the ticket's title and plan."""
        if inside in MANIFESTS:
            original = presentation.original if inside in (ORIGINAL_MASTER, ORIGINAL_MPD) else None
            if original is not None and presentation.needed_height(original) > ticket.max_height:
                raise self._delivery.shut(Refusal.ABOVE_PLAN)
            return
        presentation_id, slash, rest = inside.partition("/")
        plain = _PLAIN.fullmatch(rest)
        if presentation_id != ticket.presentation_id or not slash or (rest and plain is None):
            raise self._delivery.shut(Refusal.OTHER_TITLE)
        rendition = presentation.rendition(plain[1]) if plain else None
        if rendition is not None and presentation.needed_height(rendition) > ticket.max_height:
            raise self._delivery.shut(Refusal.ABOVE_PLAN)
