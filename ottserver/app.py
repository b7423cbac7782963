"""The composition root: opens the backends, builds the rooms, gives each what it needs of the others, and runs them.

Nobody imports it but the command line. Each level is one `async with`, closed in the opposite order:

    open_rooms   backends and rooms, enough for a command that does one thing
    working      and consumers, probes and encoders, in the one process that holds the data folder
    serving      and the web
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CollectorRegistry

from ottserver import __version__, datafolder, wiring
from ottserver.accounts import admin as accounts_admin, handlers as accounts_http
from ottserver.accounts.service import AccountService
from ottserver.backends.blobs import Blobs, open_blobs
from ottserver.backends.blobs.space import Space
from ottserver.backends.bus import Bus, open_bus
from ottserver.backends.cache import Cache, open_cache
from ottserver.backends.database import Database, open_database
from ottserver.backends.outage.breaker import BackendMetrics
from ottserver.backends.outage.cache import GuardedCache
from ottserver.backends.outage.database import GuardedDatabase
from ottserver.billing import handlers as billing_http
from ottserver.billing.service import BillingService
from ottserver.catalog import admin as catalog_admin, handlers as catalog_http, subtitles as catalog_subtitles
from ottserver.catalog.browsing import Browsing
from ottserver.catalog.service import CatalogService, subscribe as subscribe_catalog
from ottserver.catalog.shelves import Shelves
from ottserver.catalog.usage import SourceUsage
from ottserver.delivery import gate as delivery_gate, handlers as delivery_http
from ottserver.delivery.instant import instant_media
from ottserver.delivery.metrics import DeliveryMetrics
from ottserver.delivery.service import Delivery
from ottserver.delivery.tickets import Tickets
from ottserver.delivery.verdicts import Gate
from ottserver.errors import SettingsError
from ottserver.events import (
    AccountDeleted,
    AccountDisabled,
    DevicesSignedOut,
    SourceReady,
    SourceRemoved,
    SubscriptionChanged,
    SubtitlesChanged,
    VideoRemoved,
)
from ottserver.ingest import handlers as ingest_http
from ottserver.ingest.importer import Importer
from ottserver.ingest.prober import probe_source
from ottserver.ingest.service import IngestService, subscribe as subscribe_ingest
from ottserver.live import LiveFeed
from ottserver.ops import handlers as ops_http
from ottserver.ops.service import Checkable, OpsService
from ottserver.playback import handlers as playback_http
from ottserver.playback.afloat import Afloat
from ottserver.playback.keeper import Keeper
from ottserver.playback.metrics import PlaybackMetrics
from ottserver.playback.screens import Screens
from ottserver.playback.service import PlaybackService
from ottserver.settings import ROOT
from ottserver.transcode.service import TranscodeService
from ottserver.web import pages
from ottserver.web.assets import Assets
from ottserver.web.guards import Guard
from ottserver.web.limits import RateLimits
from ottserver.web.openapi import build_document
from ottserver.web.server import build_application, make_runner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ottserver.settings import Settings
    from ottserver.web.routing import Routes


BACKLOG = 4096
"""Connections that may wait to be taken: where many begin in one second, no room costs each a second or more."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """Everything that is open, by name."""

    settings: Settings
    database: Database
    blobs: Blobs
    cache: Cache
    bus: Bus
    registry: CollectorRegistry
    space: Space
    live: LiveFeed
    limits: RateLimits
    accounts: AccountService
    billing: BillingService
    ingest: IngestService
    importer: Importer
    catalog: CatalogService
    browsing: Browsing
    transcode: TranscodeService
    metrics: DeliveryMetrics
    delivery: Delivery
    gate: Gate
    playback: PlaybackService
    keeper: Keeper


@asynccontextmanager
async def open_rooms(settings: Settings) -> AsyncIterator[Rooms]:
    """Open the backends and build the rooms. Raises `SettingsError`."""
    await asyncio.to_thread(datafolder.prepare, settings.data)
    secret = await asyncio.to_thread(datafolder.load_secret, settings.data, settings.secret)
    async with AsyncExitStack() as stack:
        registry = CollectorRegistry()
        backends = BackendMetrics(registry)
        database = GuardedDatabase(
            await stack.enter_async_context(open_database(settings.effective_database_url)), backends
        )
        blobs = await stack.enter_async_context(
            open_blobs(settings.effective_blobs_url, settings.data / "scratch", wiring.disk_room(settings))
        )
        cache = GuardedCache(await stack.enter_async_context(open_cache(settings.cache_url)), backends)
        rooms = _build(settings, secret, database, blobs, cache, registry)
        stack.push_async_callback(rooms.accounts.close)
        stack.push_async_callback(rooms.playback.close)
        stack.push_async_callback(rooms.delivery.close)
        await rooms.accounts.open()
        yield rooms


def _build(
    settings: Settings, secret: bytes, database: Database, blobs: Blobs, cache: Cache, registry: CollectorRegistry
) -> Rooms:
    bus = open_bus(settings.bus_url, database)
    live = LiveFeed()
    space = Space(blobs, settings.data, reserve_bytes=settings.storage.reserve_bytes)
    billing = BillingService(
        database, wiring.plans(settings), house_plan=None if settings.billing else settings.house_plan
    )
    ingest = IngestService(
        database=database,
        blobs=blobs,
        staging=settings.data / "uploads",
        users=SourceUsage(),
        probe=probe_source,
        limits=wiring.ingest_limits(settings),
        space=space,
    )
    transcode = TranscodeService(database, blobs, wiring.encoder_settings(settings), live, space)
    shelves = Shelves(database)
    catalog = CatalogService(
        database=shelves.noticing(database),
        uploads=ingest,
        states=wiring.SourceStates(database, ingest),
        live=live,
        blobs=blobs,
    )
    metrics = DeliveryMetrics(registry)
    tickets = Tickets(secret, lifetime_seconds=wiring.ticket_seconds(settings))
    delivery = Delivery(
        tickets=tickets,
        segments=transcode,
        presentations=transcode,
        metrics=metrics,
        cache_bytes=settings.delivery.cache_bytes,
    )
    limits = RateLimits(on=settings.rate_limits, people=settings.web.people_per_address, storage_url=settings.cache_url)
    accounts = AccountService(
        database,
        cache,
        wiring.account_settings(settings, secret),
        exporters={"subscriptions": billing.export},
        windows=limits,
    )
    screens = Screens(cache, settings.playback.lease_seconds)
    afloat = Afloat(PlaybackMetrics(registry))
    playback = PlaybackService(
        database,
        screens,
        entitlements=billing,
        catalog=wiring.PlayableVideos(catalog),
        presentations=transcode,
        tickets=tickets,
        afloat=afloat,
    )
    accounts.export_too("playback", playback.export)
    keeper = Keeper(
        database,
        screens,
        tickets=tickets,
        activity=delivery,
        standings=wiring.Standings(accounts, billing),
        afloat=afloat,
        every_seconds=settings.playback.heartbeat_seconds,
    )
    rooms = Rooms(
        settings=settings,
        database=database,
        blobs=blobs,
        cache=cache,
        bus=bus,
        registry=registry,
        space=space,
        live=live,
        limits=limits,
        accounts=accounts,
        billing=billing,
        ingest=ingest,
        importer=Importer(database=database, blobs=blobs, reserve_bytes=space.reserve_bytes),
        catalog=catalog,
        browsing=Browsing(database=database, shelves=shelves, blobs=blobs, history=playback),
        transcode=transcode,
        metrics=metrics,
        delivery=delivery,
        gate=Gate(delivery, tickets),
        playback=playback,
        keeper=keeper,
    )
    _subscribe(rooms)
    return rooms


def _subscribe(rooms: Rooms) -> None:
    """Let every room follow the facts that concern it."""
    subscribe_ingest(rooms.bus, rooms.ingest)
    rooms.bus.subscribe("transcode", SourceReady, rooms.transcode.on_source_ready)
    rooms.bus.subscribe("transcode", SourceRemoved, rooms.transcode.on_source_removed)
    rooms.bus.subscribe("transcode", SubtitlesChanged, rooms.transcode.on_subtitles_changed)
    subscribe_catalog(rooms.bus, rooms.catalog)
    rooms.bus.subscribe("accounts", DevicesSignedOut, rooms.accounts.sessions.signed_out)
    rooms.bus.subscribe("billing", AccountDeleted, rooms.billing.erase)
    rooms.bus.subscribe("billing", SubscriptionChanged, rooms.billing.changed)
    rooms.bus.subscribe("playback", SubscriptionChanged, rooms.keeper.subscription_changed)
    rooms.bus.subscribe("playback", AccountDisabled, rooms.keeper.account_disabled)
    rooms.bus.subscribe("playback", DevicesSignedOut, rooms.keeper.signed_out)
    rooms.bus.subscribe("playback", AccountDeleted, rooms.keeper.account_deleted)
    rooms.bus.subscribe("playback", VideoRemoved, rooms.keeper.video_removed)


@asynccontextmanager
async def _at_work(rooms: Rooms) -> AsyncIterator[None]:
    async with rooms.transcode.running(), rooms.ingest.running(), rooms.catalog.running(), rooms.bus.running():
        yield


@asynccontextmanager
async def working(rooms: Rooms) -> AsyncIterator[None]:
    """Probe, encode and digest facts. Raises `SettingsError` when another process does so with the same data folder."""
    with datafolder.held(rooms.settings.data) as alone:
        if not alone:
            message = f"data: another server is at work in {rooms.settings.data}; stop it, or choose another folder"
            raise SettingsError(message)
        async with _at_work(rooms):
            yield


@asynccontextmanager
async def working_unless_served(rooms: Rooms) -> AsyncIterator[None]:
    """Probe, encode and digest facts, unless a server already does so with this data folder."""
    with datafolder.held(rooms.settings.data) as alone:
        if not alone:
            yield
            return
        async with _at_work(rooms):
            yield


@asynccontextmanager
async def serving(rooms: Rooms) -> AsyncIterator[str]:
    """Answer requests while the context lasts; gives the address. At the end responses in hand are finished."""
    settings = rooms.settings
    draining = asyncio.Event()
    application = build_application(
        await asyncio.to_thread(_routes, rooms, draining),
        Guard(rooms.accounts, settings.public_url),
        rooms.limits,
        secure_cookies=settings.public_url.startswith("https:"),
        proxies=wiring.proxies(settings),
    )
    runner = make_runner(
        application,
        instant=instant_media(rooms.delivery, rooms.metrics, settings.origins),
        bounds=wiring.bounds(settings),
    )
    await runner.setup()
    try:
        async with rooms.keeper.running():
            site = web.TCPSite(runner, settings.host, settings.port, backlog=BACKLOG)
            await _listen(site, settings)
            host, port = runner.addresses[0][:2]
            try:
                yield f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
            finally:
                draining.set()
                rooms.catalog.end_streams()
                await runner.cleanup()
    finally:
        await runner.cleanup()


async def _listen(site: web.TCPSite, settings: Settings) -> None:
    try:
        await site.start()
    except OSError as error:
        why = error.strerror or error
        message = (
            f"host, port: cannot listen on {settings.host}:{settings.port}: {why}; --port or OTT_PORT takes another"
        )
        raise SettingsError(message) from error


def _routes(rooms: Rooms, draining: asyncio.Event) -> Routes:
    """Every route, in the order in which they are tried. Blocks: reads the page's manifest."""
    settings = rooms.settings
    backends: dict[str, Checkable] = {"database": rooms.database, "blobs": rooms.blobs, "cache": rooms.cache}
    ops = OpsService(backends, draining, rooms.space)
    routes: Routes = [
        *delivery_http.routes(rooms.delivery, rooms.metrics, settings.origins),
        *delivery_gate.routes(rooms.gate, settings.origins),
        *accounts_http.routes(rooms.accounts),
        *accounts_admin.routes(rooms.accounts),
        *billing_http.routes(rooms.billing),
        *playback_http.routes(
            rooms.playback,
            public_url=settings.public_url,
            heartbeat_seconds=settings.playback.heartbeat_seconds,
        ),
        *catalog_http.routes(rooms.browsing),
        *catalog_admin.routes(rooms.catalog, rooms.transcode),
        *catalog_subtitles.routes(rooms.catalog, wiring.Subtitles(rooms.transcode.sidecars)),
        *ingest_http.routes(rooms.ingest),
        *pages.routes(Assets(ROOT / "static")),
    ]
    operations = ops_http.routes(ops, rooms.registry, rooms.bus, lambda: document)
    document = build_document([*routes, *operations], __version__)
    return [*routes, *operations]
