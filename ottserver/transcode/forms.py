"""What the engine keeps and sends, from and to text.

Workers read a plan as the parent's own objects and not as JSON: whatever checks JSON would be a twentieth of the memory
of one that waits for work, and of the time in which it starts.
"""

from __future__ import annotations

import base64
import pickle
from functools import lru_cache

from pydantic import TypeAdapter, ValidationError

from ottserver.media import Extras, Presentation
from ottserver.transcode.models import EncodingPlan

PLAN: TypeAdapter[EncodingPlan] = TypeAdapter(EncodingPlan)
EXTRAS: TypeAdapter[Extras] = TypeAdapter(Extras)
PRESENTATION: TypeAdapter[Presentation] = TypeAdapter(Presentation)


def extras_of(text: str | None) -> Extras:
    """Extras from their JSON; nothing: none was made."""
    return Extras() if text is None else EXTRAS.validate_json(text)


@lru_cache(maxsize=64)
def packed(plan_json: str) -> str:
    """A plan for a worker's pipe, from its JSON; nothing, which fails the job, where that is none."""
    try:
        plan = PLAN.validate_json(plan_json)
    except ValidationError:
        return ""
    return base64.b85encode(pickle.dumps(plan, pickle.HIGHEST_PROTOCOL)).decode("ascii")
