"""Typed settings: from options, OTT_* variables, a --config file and config/default.toml, the earlier winning.

This module is the only reader of the environment. A name that does not exist or a value that does not fit ends the
start with one sentence that names it (`SettingsError`). A nested name such as `transcode.preset` is the variable
OTT_TRANSCODE_PRESET.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError as SourceError,
)

from ottserver.errors import SettingsError
from ottserver.machine import memory_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parent.parent
"""Where config/ and static/ are, beside the package."""
DEFAULTS = ROOT / "config" / "default.toml"
PREFIX = "OTT_"
SHORTEST_SEGMENT = 2.0
LONGEST_SEGMENT = 10.0
SECRET_LENGTH = 32
CACHE_PART = 8
"""Unless it is set, the cache of segments takes one part in so many of the memory, and so many bytes at least."""
CACHE_LEAST = 64_000_000

Role = Literal["web", "encode", "consume"]
ALL_ROLES: tuple[Role, ...] = ("web", "encode", "consume")


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
        message = "should be an address such as https://films.example"
        raise ValueError(message)
    return value.rstrip("/")


def _networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            ip_network(value, strict=False)
        except ValueError as error:
            message = f"{value!r} should be an IP address or a network, such as 10.0.0.0/8"
            raise ValueError(message) from error
    return values


HttpUrl = Annotated[str, AfterValidator(_http_url)]
Numbers = Annotated[tuple[float, ...], NoDecode, BeforeValidator(_split)]
Networks = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_networks)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PlanSettings(_Section):
    """One plan that can be had. `price` is in whole units of `currency`."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
    name: Annotated[str, Field(min_length=1, max_length=80)]
    price: Annotated[int, Field(ge=0)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    quality: str
    max_height: Annotated[int, Field(ge=144, le=4320)]
    screens: Annotated[int, Field(ge=1, le=100)]


class AccountSettings(_Section):
    """Sign-in: how long tokens live, and what a password hash costs."""

    access_token_seconds: Annotated[int, Field(ge=10, le=86400)]
    refresh_token_days: Annotated[int, Field(ge=1, le=365)]
    bcrypt_rounds: Annotated[int, Field(ge=4, le=16)]


class IngestSettings(_Section):
    """Uploads and probes."""

    max_upload_bytes: Annotated[int, Field(ge=1)]
    upload_expiry_hours: Annotated[float, Field(gt=0, le=87_600)]
    probe_timeout_seconds: Seconds


class RungSettings(_Section):
    """A rung of the ladder: a box in pixels that the picture must fit, and the most bits a second it may take."""

    name: Annotated[str, Field(pattern=r"^v[a-z0-9]{1,15}$")]
    width: Annotated[int, Field(ge=64, le=7680)]
    height: Annotated[int, Field(ge=64, le=4320)]
    maxrate: Annotated[int, Field(ge=50_000, le=200_000_000)]
    crf: Annotated[float, Field(ge=0, le=51)]


class StorageSettings(_Section):
    """What is kept free on the disks, and how much of what is stored elsewhere is kept on this one."""

    reserve_bytes: Annotated[int, Field(ge=0)]
    cache_bytes: Annotated[int, Field(ge=0)]


class TranscodeSettings(_Section):
    """Segments, ladder and worker processes. `segment_seconds` is a list whose last entry repeats."""

    segment_seconds: Annotated[Numbers, Field(min_length=1, max_length=64)]
    ladder: Annotated[tuple[RungSettings, ...], Field(min_length=1, max_length=12)]
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"]
    encoder: Literal["libx264", "auto", "h264_nvenc", "h264_qsv", "h264_amf"]
    audio_bitrate: Annotated[int, Field(ge=32_000, le=512_000)]
    surround_bitrate: Annotated[int, Field(ge=96_000, le=1_536_000)]
    urgent_workers: Annotated[int, Field(ge=1, le=64)]
    background_workers: Annotated[int, Field(ge=0, le=256)] = os.cpu_count() or 1
    """At the lowest priority, so one for each processor."""
    job_timeout_seconds: Seconds
    queue_limit: Annotated[int, Field(ge=1, le=100_000)]

    @model_validator(mode="after")
    def _lengths(self) -> TranscodeSettings:
        if any(not SHORTEST_SEGMENT <= seconds <= LONGEST_SEGMENT for seconds in self.segment_seconds):
            message = "segment_seconds: every segment should be between 2 and 10 seconds long"
            raise ValueError(message)
        if len({rung.name for rung in self.ladder}) < len(self.ladder):
            message = "ladder: every rung should have a name of its own"
            raise ValueError(message)
        return self


class DeliverySettings(_Section):
    """The edge cache and the life of a ticket."""

    cache_bytes: Annotated[int, Field(ge=1_000_000)] = max(memory_bytes() // CACHE_PART, CACHE_LEAST)
    ticket_hours: Annotated[float, Field(gt=0, le=168)]


class PlaybackSettings(_Section):
    """How often players say that they live, and how long a screen stays taken when they no longer do."""

    heartbeat_seconds: Seconds
    lease_seconds: Seconds

    @model_validator(mode="after")
    def _lease_outlives_heartbeat(self) -> PlaybackSettings:
        if self.lease_seconds <= self.heartbeat_seconds:
            message = "lease_seconds should be greater than heartbeat_seconds"
            raise ValueError(message)
        return self


class WebSettings(_Section):
    """Who is believed and how much anybody may take. Seconds and bytes are those of one connection."""

    trusted_proxies: Networks
    forwarded_header: Literal["x-forwarded-for", "forwarded"]
    people_per_address: Annotated[int, Field(ge=1, le=100_000)]
    connections: Annotated[int, Field(ge=16, le=1_000_000)]
    connections_per_address: Annotated[int, Field(ge=8, le=1_000_000)]
    keep_alive_seconds: Seconds
    head_seconds: Seconds
    patience_seconds: Seconds
    slowest_bytes_per_second: Annotated[int, Field(ge=0, le=1_000_000)]


class Settings(BaseSettings):
    """Everything that an operator can set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        extra="forbid",
        frozen=True,
        validate_default=True,
    )
    files: ClassVar[tuple[dict[str, Any], ...]] = ()

    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    data: Annotated[Path, AfterValidator(_absolute)] = ROOT / "data"
    """The same wherever a command is typed; a relative path given by hand is seen from there."""
    roles: Annotated[tuple[Role, ...], NoDecode, BeforeValidator(_split), Field(min_length=1)]
    public_url: HttpUrl = ""
    origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = ()
    """Origins whose pages may play from /media/; "*" is all."""
    database_url: str = ""
    database_replica_url: str = ""
    blobs_url: str = ""
    cache_url: str
    bus_url: str
    index_url: str = "whoosh://"
    secret: Annotated[str, Field(repr=False)] = ""
    rate_limits: bool
    registration: bool
    billing: bool
    house_plan: str
    log: Literal["json", "text"]
    plans: Annotated[tuple[PlanSettings, ...], Field(min_length=1, max_length=20)]
    accounts: AccountSettings
    storage: StorageSettings
    ingest: IngestSettings
    transcode: TranscodeSettings
    delivery: DeliverySettings
    playback: PlaybackSettings
    web: WebSettings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options, then the environment, then files."""
        files = (InitSettingsSource(settings_cls, init_kwargs=file) for file in cls.files)
        return (init_settings, env_settings, *files)

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if self.house_plan not in {plan.id for plan in self.plans}:
            message = f"house_plan: there is no plan {self.house_plan!r}"
            raise ValueError(message)
        if self.secret and len(self.secret) < SECRET_LENGTH:
            message = "secret: should be at least 32 characters long"
            raise ValueError(message)
        self._refuse_what_is_not_there()
        return self

    def _refuse_what_is_not_there(self) -> None:
        if self.database_replica_url:
            message = "database_replica_url: a sqlite:// database has no replica; leave it unset"
            raise ValueError(message)
        if urlsplit(self.index_url).scheme != "whoosh":
            message = f"index_url: no index is known for {self.index_url!r}; use whoosh://"
            raise ValueError(message)
        local = [
            url
            for url in (self.effective_database_url, self.effective_blobs_url, self.cache_url, self.bus_url)
            if urlsplit(url).scheme in ("sqlite", "memory", "outbox")
        ]
        if local and set(self.roles) != set(ALL_ROLES):
            message = (
                f"roles: {', '.join(self.roles)} alone needs backends that processes can share, "
                f"and {local[0]} is not one; run all of {', '.join(ALL_ROLES)} in one process"
            )
            raise ValueError(message)

    @property
    def effective_database_url(self) -> str:
        """The database, which is a file in the data folder when nothing else is set."""
        return self.database_url or f"sqlite:///{quote(str(self.data / 'ottserver.db'))}"

    @property
    def effective_blobs_url(self) -> str:
        """The blob store, which is a folder in the data folder when nothing else is set."""
        return self.blobs_url or f"file://{quote(str(self.data / 'blobs'))}"


def variables() -> dict[str, str]:
    """Every OTT_* variable that means something, with the setting that it sets, such as transcode.preset."""
    names: dict[str, str] = {}
    for name, field in Settings.model_fields.items():
        names[f"{PREFIX}{name.upper()}"] = name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            for nested in field.annotation.model_fields:
                names[f"{PREFIX}{name.upper()}_{nested.upper()}"] = f"{name}.{nested}"
    return names


def load(options: dict[str, Any] | None = None, config: Path | None = None) -> Settings:
    """The settings of this process; `options` are those given on the command line. Raises `SettingsError`."""
    known = variables()
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            message = f"{name}: there is no such setting{_hint(name.upper(), known)}"
            raise SettingsError(message)
    files = ([_read(config)] if config else []) + [_read(DEFAULTS)]
    chosen = type("ChosenSettings", (Settings,), {"files": tuple(files)})
    try:
        settings: Settings = chosen(**(options or {}))
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from error
    except SourceError as error:
        message = f"{error}: {error.__cause__}"
        raise SettingsError(message) from error
    return settings


def _hint(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"config: {path} cannot be read: {error.strerror}"
        raise SettingsError(message) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"config: {path} is not TOML: {error}"
        raise SettingsError(message) from error


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{name}: there is no such setting{_hint(name, variables().values())}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{name}: {message}" if name else message
