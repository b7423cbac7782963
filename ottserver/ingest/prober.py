"""Probes a source in a child process: the serving process never loads FFmpeg."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from ottserver.backends.ffmpeg.spawn import end_child, log_stderr, start_child
from ottserver.ingest.models import ProbeFailed
from ottserver.media import SourceReport  # noqa: TC001 - pydantic builds it

if TYPE_CHECKING:
    from pathlib import Path

_MODULE = "ottserver.ingest.probe"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the child prints: the report, or why there is none."""

    report: SourceReport | None = None
    failed: str | None = None


VERDICT: TypeAdapter[Verdict] = TypeAdapter(Verdict)


async def probe_source(path: Path, *, timeout_seconds: float) -> SourceReport:
    """The report on a local file. Raises `ProbeFailed`.

    The child is killed when it takes longer than `timeout_seconds` and when the caller is cancelled.
    """
    child = await start_child(_MODULE, str(path), keep_stdin=False)
    errors = asyncio.create_task(log_stderr(child))
    try:
        async with asyncio.timeout(timeout_seconds):
            output = await child.stdout.read() if child.stdout else b""
            await child.wait()
    except TimeoutError:
        reason = "The file could not be examined in time; it may be damaged."
        raise ProbeFailed(reason) from None
    finally:
        await end_child(child)
        await errors
    try:
        verdict = VERDICT.validate_json(output)
    except ValidationError:
        reason = "The file could not be examined: reading it ended unexpectedly; it may be damaged."
        raise ProbeFailed(reason) from None
    if verdict.report is None:
        raise ProbeFailed(verdict.failed or "The file could not be examined.")
    return verdict.report
