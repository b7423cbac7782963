"""Which video encoders can be used here: each is tried by a child of its own, since drivers may crash or hang."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from ottserver.backends.ffmpeg.spawn import end_child, start_child
from ottserver.transcode.encoders import HARDWARE, SOFTWARE

_log = logging.getLogger(__name__)
_MODULE = "ottserver.transcode.selftest"
SECONDS = 20.0
"""How long the self-tests before a choice may take together, and any other one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the child prints: why the encoder cannot be used, or nothing."""

    reason: str = ""


OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)


@dataclass(frozen=True, slots=True)
class Choice:
    """The encoder of films that are planned from now on, and what is to be said of it."""

    encoder: str = SOFTWARE
    sentence: str = ""
    well: bool = True
    """Whether it is what was asked for."""
    refused: frozenset[str] = frozenset()
    """Encoders that were tried and cannot be used."""


async def reason_against(encoder: str, preset: str, seconds: float = SECONDS) -> str:
    """Why the encoder cannot be used here; nothing when it has passed its self-test."""
    child = await start_child(_MODULE, encoder, preset, keep_stdin=False)
    try:
        async with asyncio.timeout(seconds):
            output, _ = await child.communicate()
        return OUTCOME.validate_json(output).reason
    except TimeoutError:
        return f"its self-test took longer than {seconds:.0f} s"
    except ValidationError:
        return f"its self-test ended with status {child.returncode}"
    finally:
        await end_child(child)


async def choose(wanted: str, preset: str) -> Choice:
    """The wanted encoder when it passes its self-test, the first that does for `auto`, else libx264."""
    if wanted == SOFTWARE:
        return Choice()
    loop = asyncio.get_running_loop()
    end, reasons = loop.time() + SECONDS, dict[str, str]()
    for encoder in HARDWARE if wanted == "auto" else (wanted,):
        reason = await reason_against(encoder, preset, max(1.0, end - loop.time()))
        if not reason:
            return Choice(encoder, f"{encoder} passed its self-test")
        reasons[encoder] = f"{encoder} cannot be used here ({reason})"
    sentence = f"{'; '.join(reasons.values())}; libx264 encodes instead"
    return Choice(SOFTWARE, sentence, wanted == "auto", frozenset(reasons))


async def decide(wanted: str, preset: str) -> Choice:
    """The same, said in the log."""
    choice = await choose(wanted, preset)
    if choice.sentence:
        _log.log(logging.INFO if choice.well else logging.WARNING, "encoder: %s", choice.sentence)
    return choice


async def gone(encoders: set[str], choice: Choice, preset: str) -> set[str]:
    """Which of the encoders that unfinished films were planned with cannot be used any more."""
    found = encoders & choice.refused
    for encoder in encoders - found - {SOFTWARE, choice.encoder}:
        if reason := await reason_against(encoder, preset):
            _log.warning("encoder: %s has unfinished films and cannot be used here (%s)", encoder, reason)
            found.add(encoder)
    return found
