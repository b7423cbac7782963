"""From settings to what each room takes, and from one room to what another asks for: the one place that knows both."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ottserver.accounts.models import AccountSettings
from ottserver.backends.blobs import DiskRoom
from ottserver.billing.models import Plan
from ottserver.catalog.models import Encoding
from ottserver.errors import Invalid
from ottserver.ingest.beside import named
from ottserver.ingest.service import IngestLimits
from ottserver.languages import UNKNOWN, known_tag
from ottserver.media import artwork_key
from ottserver.playback.models import Video as PlayableVideo
from ottserver.transcode import store as presentations
from ottserver.transcode.forms import PRESENTATION, extras_of
from ottserver.transcode.models import EncoderSettings, LadderStep
from ottserver.transcode.sidecars import Words
from ottserver.web.bounds import Bounds
from ottserver.web.clients import Proxies

if TYPE_CHECKING:
    from collections.abc import Collection

    from ottserver.accounts.service import AccountService
    from ottserver.backends.database import Database
    from ottserver.billing.models import Entitlement
    from ottserver.billing.service import BillingService
    from ottserver.catalog.service import CatalogService
    from ottserver.catalog.subtitles import SubtitleWords
    from ottserver.ingest.models import Source
    from ottserver.ingest.service import IngestService
    from ottserver.media import TextTrack
    from ottserver.settings import Settings
    from ottserver.transcode.sidecars import Sidecars

_LABEL_LETTERS = 100


def account_settings(settings: Settings, secret: bytes) -> AccountSettings:
    """What accounts takes."""
    return AccountSettings(
        secret=secret,
        access_token_seconds=settings.accounts.access_token_seconds,
        refresh_token_days=settings.accounts.refresh_token_days,
        bcrypt_rounds=settings.accounts.bcrypt_rounds,
        registration=settings.registration,
    )


def plans(settings: Settings) -> tuple[Plan, ...]:
    """What billing offers."""
    return tuple(Plan(**plan.model_dump()) for plan in settings.plans)


def ingest_limits(settings: Settings) -> IngestLimits:
    """What ingest takes."""
    return IngestLimits(
        max_upload_bytes=settings.ingest.max_upload_bytes,
        upload_lifetime=timedelta(hours=settings.ingest.upload_expiry_hours),
        probe_timeout_seconds=settings.ingest.probe_timeout_seconds,
    )


def ticket_seconds(settings: Settings) -> int:
    """How long a ticket lives."""
    return round(settings.delivery.ticket_hours * 3600)


def disk_room(settings: Settings) -> DiskRoom:
    """Where blobs of a remote store are kept."""
    return DiskRoom(settings.data / "blob-cache", settings.storage.cache_bytes, settings.storage.reserve_bytes)


def encoder_settings(settings: Settings) -> EncoderSettings:
    """What transcode takes."""
    given = settings.transcode
    return EncoderSettings(
        segment_seconds=given.segment_seconds,
        ladder=tuple(LadderStep(**rung.model_dump()) for rung in given.ladder),
        preset=given.preset,
        encoder=given.encoder,
        audio_bitrate=given.audio_bitrate,
        surround_bitrate=given.surround_bitrate,
        urgent_workers=given.urgent_workers,
        background_workers=given.background_workers,
        job_timeout_seconds=given.job_timeout_seconds,
        queue_limit=given.queue_limit,
    )


def proxies(settings: Settings) -> Proxies:
    """Whom the web believes about clients."""
    return Proxies(settings.web.trusted_proxies, settings.web.forwarded_header)


def bounds(settings: Settings) -> Bounds:
    """What connections may take."""
    given = settings.web
    return Bounds(
        connections=given.connections,
        connections_per_address=given.connections_per_address,
        keep_alive_seconds=given.keep_alive_seconds,
        head_seconds=given.head_seconds,
        patience_seconds=given.patience_seconds,
        slowest_bytes_per_second=given.slowest_bytes_per_second,
    )


class SourceStates:
    """What the catalog asks when a video is bound to a source: ingest and transcode together."""

    def __init__(self, database: Database, ingest: IngestService) -> None:
        """Ask `ingest`, and transcode's rows in `database`, which are there even where nothing is encoded."""
        self._database = database
        self._ingest = ingest

    async def source(self, source_id: str) -> Source:
        """What ingest knows. Raises `NotFound`."""
        return await self._ingest.source(source_id)

    async def encoding(self, source_id: str) -> Encoding:
        """What transcode knows; an empty `Encoding` when it has not begun."""
        async with self._database.reading() as connection:
            row = await presentations.of_source(connection, source_id)
            added = await presentations.sidecars_of(connection, source_id)
        if row is None:
            return Encoding()
        if row.state == "failed":
            return Encoding(reason=row.reason)
        extras = replace(extras_of(row.extras), added=added)
        artwork = extras.artwork
        if artwork is not None:
            poster, backdrop = f"poster-{artwork.poster}", f"backdrop-{artwork.backdrop}"
        else:
            # Those of an earlier version.
            poster, backdrop = ("poster", "backdrop") if row.artwork else ("", "")
        return Encoding(
            presentation=PRESENTATION.validate_json(row.presentation),
            complete=row.state == "complete",
            poster_key=artwork_key(row.id, poster) if poster else None,
            backdrop_key=artwork_key(row.id, backdrop) if backdrop else None,
            extras=extras,
        )


class Standings:
    """What playback asks about those who play: what accounts and billing say together."""

    def __init__(self, accounts: AccountService, billing: BillingService) -> None:
        """Ask both."""
        self._accounts = accounts
        self._billing = billing

    async def entitlements(self, account_ids: Collection[str]) -> dict[str, Entitlement]:
        """What each account may play now; those that are deleted, shut out or without a plan are not there."""
        return await self._billing.entitlements(await self._accounts.roles(account_ids))


class PlayableVideos:
    """What playback asks of the catalog."""

    def __init__(self, catalog: CatalogService) -> None:
        """Ask `catalog`."""
        self._catalog = catalog

    async def video(self, video_id: str) -> PlayableVideo:
        """The video, playable or not yet. Raises `NotFound`."""
        video = await self._catalog.video(video_id)
        return PlayableVideo(
            id=video.id,
            title=video.details.title,
            status=video.status,
            reason=video.reason or "",
            presentation_id=video.presentation_id or "",
        )


class Subtitles:
    """What the catalog asks of transcode for subtitles that administrators bring."""

    def __init__(self, sidecars: Sidecars) -> None:
        """Ask `sidecars`."""
        self._sidecars = sidecars

    async def add(self, source_id: str, data: bytes, said: SubtitleWords) -> TextTrack:
        """Add a file. Raises `Invalid` and `Conflict`."""
        found = named(Path(), said.said)
        tag = known_tag(said.language)
        if not tag:
            message = f"“{said.language}” is no language known here: write its code, such as en, de or pt-BR."
            raise Invalid(message)
        words = Words(
            language=found.language if tag == UNKNOWN else tag,
            label=(said.label or found.label)[:_LABEL_LETTERS],
            default=said.default or found.default,
            forced=said.forced or found.forced,
            hearing_impaired=said.hearing_impaired or found.hearing_impaired,
        )
        track, _ = await self._sidecars.add(source_id, data, words)
        return track

    async def remove(self, source_id: str, name: str) -> None:
        """Take a file away. Raises `NotFound`."""
        await self._sidecars.remove(source_id, name)
