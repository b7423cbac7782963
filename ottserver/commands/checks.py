"""What `doctor` looks at: each check gives a sentence when all is well, and raises `Ill` with what to mend."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ottserver import datafolder
from ottserver.backends.blobs import open_blobs
from ottserver.backends.bus import open_bus
from ottserver.backends.cache import open_cache
from ottserver.backends.database import open_database
from ottserver.backends.ffmpeg.spawn import end_child, start_child
from ottserver.errors import OttError, SettingsError
from ottserver.settings import ROOT
from ottserver.transcode.selftests import choose
from ottserver.units import size

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from ottserver.settings import Settings

CHECK_SECONDS = 30.0
FREE_BYTES = 5_000_000_000
"""Below this much free disk, one film and its segments may not fit."""
VERSIONS = "ottserver.backends.ffmpeg.versions"


class Ill(Exception):
    """A check failed; the message says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    name: str
    well: bool
    sentence: str


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Every check's finding, in order; one that fails does not stop the others."""
    checks: dict[str, Callable[[Settings], Awaitable[str]]] = {
        "data folder": _data,
        "disk space": _disk,
        "database": _database,
        "facts": _facts,
        "blobs": _blobs,
        "cache": _cache,
        "front end": _front_end,
        "ffmpeg": _ffmpeg,
        "encoder": _encoder,
    }
    yield Finding("settings", well=True, sentence=f"roles {', '.join(settings.roles)}")
    for name, check in checks.items():
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                sentence = await check(settings)
        except TimeoutError:
            yield Finding(name, well=False, sentence=f"did not answer within {CHECK_SECONDS:g} seconds")
        except OttError as error:
            yield Finding(name, well=False, sentence=error.detail)
        except (Ill, SettingsError) as error:
            yield Finding(name, well=False, sentence=str(error))
        except Exception as error:  # noqa: BLE001 - whatever a driver raises is what is wrong
            yield Finding(name, well=False, sentence=f"{type(error).__name__}: {error}")
        else:
            yield Finding(name, well=True, sentence=sentence)


async def _data(settings: Settings) -> str:
    await asyncio.to_thread(datafolder.prepare, settings.data)
    await asyncio.to_thread(datafolder.load_secret, settings.data, settings.secret)
    mode = (await asyncio.to_thread(settings.data.stat)).st_mode
    if mode & 0o077:
        message = f"{settings.data} can be read by other users of this machine; chmod 700 it"
        raise Ill(message)
    return str(settings.data)


async def _disk(settings: Settings) -> str:
    usage = await asyncio.to_thread(shutil.disk_usage, settings.data)
    free = f"{size(usage.free)} free"
    if usage.free < FREE_BYTES:
        message = f"only {free} for {settings.data}: make room, or move it with OTT_DATA"
        raise Ill(message)
    return free


async def _database(settings: Settings) -> str:
    async with open_database(settings.effective_database_url) as database:
        await database.check()
    return settings.effective_database_url.partition("://")[0]


async def _facts(settings: Settings) -> str:
    async with open_database(settings.effective_database_url) as database:
        parked = await open_bus(settings.bus_url, database).parked()
    if parked:
        first = parked[0]
        what = f"{first.type} of {first.key} for {first.consumer}: {first.error}"
        message = f"{len(parked)} parked, the first {what}; `facts retry` gives it back"
        raise Ill(message)
    return "none parked"


async def _blobs(settings: Settings) -> str:
    async with open_blobs(settings.effective_blobs_url, settings.data / "scratch") as blobs:
        await blobs.check()
    return settings.effective_blobs_url.partition("://")[0]


async def _cache(settings: Settings) -> str:
    async with open_cache(settings.cache_url) as cache:
        await cache.check()
    return settings.cache_url.partition("://")[0]


async def _front_end(_settings: Settings) -> str:
    static = ROOT / "static"
    text = await asyncio.to_thread((static / "package.json").read_text, encoding="utf-8")
    packages = json.loads(text)["dependencies"]
    missing = [name for name in packages if not await asyncio.to_thread(os.path.isdir, static / "node_modules" / name)]
    if missing:
        message = f"{', '.join(missing)} missing: run npm ci in {static}, or scripts/serve"
        raise Ill(message)
    return f"{len(packages)} libraries"


async def _ffmpeg(_settings: Settings) -> str:
    child = await start_child(VERSIONS, keep_stdin=False)
    try:
        output, errors = await child.communicate()
    finally:
        await end_child(child)
    if child.returncode != 0:
        message = f"PyAV does not load: {errors.decode(errors='replace').strip().rpartition(chr(10))[2]}"
        raise Ill(message)
    found = json.loads(output)
    if found["missing"]:
        message = f"this build of FFmpeg lacks {', '.join(found['missing'])}; install PyAV's own wheel"
        raise Ill(message)
    return f"PyAV {found['pyav']}, libavcodec {found['libraries']['libavcodec']}"


async def _encoder(settings: Settings) -> str:
    given = settings.transcode
    choice = await choose(given.encoder, given.preset)
    if not choice.well:
        raise Ill(choice.sentence)
    return choice.sentence or choice.encoder
