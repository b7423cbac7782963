"""The bus without a broker: consumers read the outbox table, each from its own position.

Order per key is kept by laying aside, behind a failed fact, all later facts of the same key; they follow when it
succeeds or is parked. A position moves only after its fact was digested or laid aside, so a crash repeats at most the
fact in hand.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ottserver.backends.bus import ParkedFact
from ottserver.backends.bus.log import ConsumerLog, LoggedFact
from ottserver.backends.database.engine import adapter
from ottserver.backends.database.schema import consumer_failures as failures, consumer_positions as positions, outbox
from ottserver.clock import utcnow
from ottserver.errors import Busy, NotFound
from ottserver.events import FACTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ottserver.backends.bus import Handler
    from ottserver.backends.database import Database
    from ottserver.events import Fact

log = logging.getLogger(__name__)

BATCH = 64
POLL_SECONDS = 0.5
"""How soon facts of another process are noticed; those of this process wake the consumers at once."""
IDLE_SECONDS = 30.0
"""How long a consumer sleeps when nobody wakes it."""
TROUBLE_SECONDS = 2.0
"""How long a consumer waits for a database that is down."""
STOP_SECONDS = 10.0
TRIM_EVERY_SECONDS = 3600.0
_MOST_DOUBLINGS = 32


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a fact is tried and how long a consumer waits between tries; the pause doubles each time."""

    attempts: int = 8
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 60.0
    longest_handler_seconds: float = 600.0
    """A handler that takes longer has failed."""
    keep: timedelta = timedelta(days=7)
    """How long digested facts stay in the outbox."""

    def pause(self, attempts: int) -> timedelta:
        """The wait after the `attempts`-th failure."""
        doubled = self.first_pause_seconds * 2.0 ** min(attempts - 1, _MOST_DOUBLINGS)
        return timedelta(seconds=min(doubled, self.longest_pause_seconds))


class _Consumer:
    """One named consumer: reads, dispatches, lays aside."""

    def __init__(self, name: str, database: Database, policy: RetryPolicy) -> None:
        self.name = name
        self.log = ConsumerLog(database, name)
        self.wake = asyncio.Event()
        self.handlers: dict[str, list[Handler]] = {}
        self._policy = policy

    async def run(self, stopping: asyncio.Event) -> None:
        """Deliver until `stopping` is set. A database that is down is waited for."""
        loaded = False
        while not stopping.is_set():
            self.wake.clear()
            try:
                if not loaded:
                    await self.log.load()
                    loaded = True
                if await self._step(stopping):
                    continue
                pause = await self._until_due()
            except Busy as error:
                log.warning("consumer %s waits: %s", self.name, error)
                pause = TROUBLE_SECONDS
            except Exception:
                log.exception("consumer %s could not read its facts; trying again", self.name)
                pause = TROUBLE_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await self.wake.wait()
            except TimeoutError:
                continue

    async def _until_due(self) -> float:
        due = await self.log.next_due()
        if due is None:
            return IDLE_SECONDS
        return max(0.01, min(IDLE_SECONDS, (due - utcnow()).total_seconds()))

    async def _step(self, stopping: asyncio.Event) -> bool:
        """Work through what is there; whether there was anything."""
        again = await self.log.due()
        if again is not None:
            await self._try_again(again)
            return True
        batch = await self.log.unread(BATCH)
        skipped = self.log.position
        for fact in batch:
            if stopping.is_set():
                break
            if fact.type in self.handlers:
                await self._take(fact)
            skipped = fact.seq
        if skipped > self.log.position:
            await self.log.skip_to(skipped, lag=BATCH)
        return bool(batch)

    async def _take(self, fact: LoggedFact) -> None:
        if await self.log.is_blocked(fact.key):
            await self.log.lay_aside(fact, error="waits behind an earlier fact", again_at=utcnow())
            return
        error = await self._dispatch(fact)
        if error is None:
            await self.log.move_to(fact.seq)
        else:
            await self._failed(fact, error)

    async def _try_again(self, fact: LoggedFact) -> None:
        error = await self._dispatch(fact)
        if error is None:
            await self.log.digested(fact)
        else:
            await self._failed(fact, error)

    async def _failed(self, fact: LoggedFact, error: Exception) -> None:
        tried = replace(fact, attempts=fact.attempts + 1)
        # A fact is not to blame for a full disk or a store that is away: it waits for them, however long that takes.
        parked = tried.attempts >= self._policy.attempts and not isinstance(error, Busy)
        sentence = f"{type(error).__name__}: {error}"
        again_at = utcnow() + self._policy.pause(tried.attempts)
        await self.log.lay_aside(tried, error=sentence, again_at=again_at, parked=parked)
        about = (self.name, fact.type, fact.id, fact.key)
        if parked:
            log.error("consumer %s: %s %s of %s is parked", *about, exc_info=error)
        else:
            log.warning("consumer %s: %s %s of %s will be tried again: %s", *about, sentence)

    async def _dispatch(self, fact: LoggedFact) -> Exception | None:
        """Give the fact to its handlers; what went wrong, if anything."""
        try:
            decoded = adapter(FACTS[fact.type]).validate_json(fact.payload)
            for handler in self.handlers[fact.type]:
                async with asyncio.timeout(self._policy.longest_handler_seconds):
                    await handler(decoded)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises must not stop the consumer
            return error
        return None


class OutboxBus:
    """Implements `ottserver.backends.bus.Bus` over the outbox table."""

    def __init__(self, database: Database, policy: RetryPolicy | None = None) -> None:
        """Read facts from `database`."""
        self._database = database
        self._policy = policy or RetryPolicy()
        self._consumers: dict[str, _Consumer] = {}
        database.on_announced(self._wake)

    def subscribe(self, consumer: str, fact: type[Fact], handler: Handler) -> None:
        """Let `consumer` receive every fact of this type."""
        found = self._consumers.get(consumer)
        if found is None:
            found = self._consumers[consumer] = _Consumer(consumer, self._database, self._policy)
        found.handlers.setdefault(fact.__name__, []).append(handler)

    def _wake(self) -> None:
        for consumer in self._consumers.values():
            consumer.wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver while the context lasts; facts in hand are finished, for at most `STOP_SECONDS`."""
        stopping = asyncio.Event()
        tasks = [
            asyncio.create_task(consumer.run(stopping), name=f"consumer-{consumer.name}")
            for consumer in self._consumers.values()
        ]
        helpers = [
            asyncio.create_task(self._watch(), name="outbox-watch"),
            asyncio.create_task(self._trim_forever(), name="outbox-trim"),
        ]
        try:
            yield
        finally:
            stopping.set()
            self._wake()
            for helper in helpers:
                helper.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*helpers, *tasks, return_exceptions=True)

    async def _watch(self) -> None:
        """Wake the consumers for facts that another process announced."""
        seen = 0
        while True:
            try:
                async with self._database.reading() as connection:
                    latest = await connection.scalar(sa.select(sa.func.max(outbox.c.seq))) or 0
            except Exception:  # noqa: BLE001 - the consumers say that the database is down
                latest = seen
            if latest != seen:
                seen = latest
                self._wake()
            await asyncio.sleep(POLL_SECONDS)

    async def parked(self) -> list[ParkedFact]:
        """Every parked fact, oldest first."""
        query = (
            sa.select(failures, outbox.c.id, outbox.c.type)
            .join(outbox, outbox.c.seq == failures.c.seq)
            .where(failures.c.parked_at.is_not(None))
            .order_by(failures.c.seq)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [
            ParkedFact(r.consumer, r.seq, r.id, r.type, r.aggregateid, r.attempts, r.error, r.parked_at) for r in rows
        ]

    async def retry(self, consumer: str, seq: int) -> None:
        """Unpark a fact: it is tried again at once, with all its attempts before it. Raises `NotFound`."""
        mine = (failures.c.consumer == consumer, failures.c.seq == seq, failures.c.parked_at.is_not(None))
        async with self._database.writing() as work:
            unparked = await work.connection.execute(
                failures.update().where(*mine).values(parked_at=None, attempts=0, next_attempt_at=utcnow())
            )
        if unparked.rowcount == 0:
            message = f"The consumer {consumer} has no parked fact {seq}."
            raise NotFound(message)
        self._wake()

    async def drained(self) -> None:
        """Wait until all that has been announced by now is digested or parked."""
        async with self._database.reading() as connection:
            target = await connection.scalar(sa.select(sa.func.max(outbox.c.seq))) or 0
        while not await self._is_drained(target):  # noqa: ASYNC110 - the state is the database's, which sends no event
            await asyncio.sleep(0.02)

    async def _is_drained(self, target: int) -> bool:
        waiting = sa.select(sa.func.count()).where(
            failures.c.consumer.in_(self._consumers), failures.c.seq <= target, failures.c.parked_at.is_(None)
        )
        async with self._database.reading() as connection:
            if await connection.scalar(waiting):
                return False
        return all(consumer.log.position >= target for consumer in self._consumers.values())

    async def _trim_forever(self) -> None:
        while True:
            try:
                await self.trim()
            except Exception:
                log.exception("digested facts could not be trimmed; trying again later")
            await asyncio.sleep(TRIM_EVERY_SECONDS)

    async def trim(self) -> None:
        """Forget facts that every consumer has left behind and that are older than the policy keeps."""
        oldest = sa.select(sa.func.min(positions.c.position)).scalar_subquery()
        started = sa.select(sa.func.count()).where(positions.c.consumer.in_(self._consumers)).scalar_subquery()
        laid_aside = sa.select(failures.c.seq)
        async with self._database.writing() as work:
            await work.connection.execute(
                outbox.delete().where(
                    outbox.c.created_at < utcnow() - self._policy.keep,
                    outbox.c.seq <= oldest,
                    outbox.c.seq.not_in(laid_aside),
                    started == len(self._consumers),  # one that has no position yet has not read anything
                )
            )
