from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from ottserver.errors import SettingsError
from ottserver.settings import DEFAULTS, ROOT, PlanSettings, RungSettings, Settings, load, variables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("OTT_"):
            monkeypatch.delenv(name)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text('port = 7002\nhost = "::1"\nhouse_plan = "basic"\n[transcode]\npreset = "slow"\n')
    return path


def test_defaults_alone_make_settings() -> None:
    settings = load()
    assert settings.port == 8080
    assert settings.roles == ("web", "encode", "consume")
    assert [plan.id for plan in settings.plans] == ["basic", "standard", "premium"]


def test_option_wins_over_variable_over_file_over_default(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().port == 8080
    assert load(config=config).port == 7002
    monkeypatch.setenv("OTT_PORT", "7001")
    assert load(config=config).port == 7001
    assert load({"port": "7000"}, config).port == 7000


def test_layers_are_merged_name_by_name(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTT_TRANSCODE_AUDIO_BITRATE", "96000")
    settings = load({"port": 0}, config)
    assert (settings.host, settings.port, settings.house_plan) == ("::1", 0, "basic")
    assert (settings.transcode.preset, settings.transcode.audio_bitrate) == ("slow", 96000)
    assert settings.transcode.urgent_workers == load().transcode.urgent_workers


def test_variable_wins_within_a_section_that_a_file_sets(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTT_TRANSCODE_PRESET", "medium")
    assert load(config=config).transcode.preset == "medium"


def test_variables_are_read_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ott_port", "7001")
    assert load().port == 7001


@pytest.mark.parametrize(("text", "value"), [("on", True), ("off", False), ("true", True), ("0", False)])
def test_switches_say_on_or_off(text: str, *, value: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTT_RATE_LIMITS", text)
    monkeypatch.setenv("OTT_BILLING", text)
    settings = load()
    assert (settings.rate_limits, settings.billing) == (value, value)


def test_lists_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTT_ROLES", "web, encode,consume,")
    monkeypatch.setenv("OTT_ORIGINS", "https://a.example,https://b.example")
    monkeypatch.setenv("OTT_TRANSCODE_SEGMENT_SECONDS", "2,2, 4")
    settings = load()
    assert settings.roles == ("web", "encode", "consume")
    assert settings.origins == ("https://a.example", "https://b.example")
    assert settings.transcode.segment_seconds == (2.0, 2.0, 4.0)


def test_tables_are_written_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    rung = '[{"name": "v240", "width": 426, "height": 240, "maxrate": 300000, "crf": 25}]'
    monkeypatch.setenv("OTT_TRANSCODE_LADDER", rung)
    assert [rung.name for rung in load().transcode.ladder] == ["v240"]


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("OTT_PORT", "eighty", "port"),
        ("OTT_PORT", "65536", "port"),
        ("OTT_PORT", "", "port"),
        ("OTT_LOG", "xml", "log"),
        ("OTT_RATE_LIMITS", "perhaps", "rate_limits"),
        ("OTT_ROLES", "web,cook", "roles"),
        ("OTT_ROLES", "", "roles"),
        ("OTT_PUBLIC_URL", "films.example", "public_url"),
        ("OTT_PUBLIC_URL", "ftp://films.example", "public_url"),
        ("OTT_PUBLIC_URL", "http://[::1", "public_url"),
        ("OTT_PUBLIC_URL", "https://films.example/?a=b", "public_url"),
        ("OTT_SECRET", "short", "secret"),
        ("OTT_HOUSE_PLAN", "gold", "house_plan"),
        ("OTT_PLANS", "not json", "plans"),
        ("OTT_PLANS", "[]", "plans"),
        ("OTT_PLANS", '[{"id": "BAD ID"}]', "plans.0.id"),
        ("OTT_INDEX_URL", "elasticsearch://host", "index_url"),
        ("OTT_DATABASE_REPLICA_URL", "mysql://host/db", "database_replica_url"),
        ("OTT_TRANSCODE_PRESET", "placebo", "transcode.preset"),
        ("OTT_TRANSCODE_SEGMENT_SECONDS", "1", "segment_seconds"),
        ("OTT_TRANSCODE_SEGMENT_SECONDS", "2,11", "segment_seconds"),
        ("OTT_TRANSCODE_SEGMENT_SECONDS", "two", "transcode.segment_seconds"),
        ("OTT_TRANSCODE_SEGMENT_SECONDS", "nan", "segment_seconds"),
        ("OTT_TRANSCODE_URGENT_WORKERS", "0", "transcode.urgent_workers"),
        ("OTT_ACCOUNTS_BCRYPT_ROUNDS", "99", "accounts.bcrypt_rounds"),
        ("OTT_INGEST_PROBE_TIMEOUT_SECONDS", "inf", "ingest.probe_timeout_seconds"),
        ("OTT_PLAYBACK_LEASE_SECONDS", "5", "lease_seconds"),
        ("OTT_DELIVERY_TICKET_HOURS", "-1", "delivery.ticket_hours"),
    ],
)
def test_bad_value_ends_in_a_sentence_that_names_it(
    name: str, value: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=re.escape(named)) as caught:
        load()
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_value_of_the_secret_is_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTT_SECRET", "hush")
    with pytest.raises(SettingsError) as caught:
        load()
    assert "hush" not in str(caught.value)
    monkeypatch.setenv("OTT_SECRET", "hush" * 8)
    assert "hush" not in repr(load())


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("OTT_PROT", "did you mean OTT_PORT?"),
        ("OTT_TRANSCODE_PRESETS", "did you mean OTT_TRANSCODE_PRESET?"),
        ("OTT_ZZZZZZ", "there is no such setting"),
    ],
)
def test_unknown_variable_is_refused_with_a_hint(name: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsError) as caught:
        load()
    assert str(caught.value).startswith(f"{name}: there is no such setting")
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("prot = 1", "prot: there is no such setting; did you mean port?"),
        ("[transcode]\npresets = 1", "transcode.presets: there is no such setting; did you mean transcode.preset?"),
        ("port =", "is not TOML"),
        ("[transcode]\npreset = 5", "transcode.preset: "),
        ("transcode = 5", "transcode: "),
    ],
)
def test_mistake_in_the_file_ends_in_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(config=path)
    assert sentence in str(caught.value)


def test_file_that_is_not_there_or_not_text_ends_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"config: .* cannot be read"):
        load(config=tmp_path / "nothing.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"config: .* is not TOML"):
        load(config=tmp_path / "bytes.toml")


def test_split_roles_are_refused_over_backends_that_cannot_be_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTT_ROLES", "web")
    with pytest.raises(SettingsError, match=r"roles: web alone .* sqlite:///.* is not one"):
        load()


def test_data_folder_holds_what_has_no_address_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load({"data": "my films"})
    assert settings.data == tmp_path / "my films"
    assert settings.effective_database_url == f"sqlite:///{tmp_path}/my%20films/ottserver.db"
    assert settings.effective_blobs_url == f"file://{tmp_path}/my%20films/blobs"
    monkeypatch.setenv("OTT_DATABASE_URL", "sqlite:////elsewhere/x.db")
    assert load().effective_database_url == "sqlite:////elsewhere/x.db"


def test_settings_do_not_change() -> None:
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc] # that it is refused is the point


def test_every_name_of_the_default_file_is_a_setting() -> None:
    assert DEFAULTS == ROOT / "config" / "default.toml"
    assert load(config=DEFAULTS).model_dump() == load().model_dump()


ROW = re.compile(r"^\| `(?P<name>[A-Za-z_.]+)` \| (?P<default>.+?) \| (?P<meaning>.+) \|$", re.MULTILINE)


def _documented() -> dict[str, re.Match[str]]:
    return {row["name"]: row for row in ROW.finditer((ROOT / "docs" / "settings.md").read_text(encoding="utf-8"))}


def _written(value: object) -> str:
    if value in ("", ()):
        return "unset"
    if isinstance(value, bool):
        return "`on`" if value else "`off`"
    if isinstance(value, tuple):
        return f"`{','.join(f'{part:g}' if isinstance(part, float) else str(part) for part in value)}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _defaults(model: BaseModel, prefix: str = "OTT_") -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            found |= _defaults(value, f"{prefix}{name.upper()}_")
        else:
            found[f"{prefix}{name.upper()}"] = value
    return found


OF_THE_MACHINE = {"OTT_DATA", "OTT_TRANSCODE_BACKGROUND_WORKERS", "OTT_DELIVERY_CACHE_BYTES"}
"""Settings whose defaults depend on where the server runs, and so are documented in words."""


def test_every_setting_is_documented_with_its_default() -> None:
    documented = _documented()
    for name, value in _defaults(load()).items():
        assert name in documented, f"docs/settings.md does not explain {name}"
        if name not in {*OF_THE_MACHINE, "OTT_PLANS", "OTT_TRANSCODE_LADDER"}:
            assert documented[name]["default"] == _written(value), name
    for prefix, part in (("plans", PlanSettings), ("ladder", RungSettings)):
        for name in part.model_fields:
            assert f"{prefix}.{name}" in documented, f"docs/settings.md does not explain {prefix}.{name}"


def test_nothing_is_documented_that_is_no_setting() -> None:
    sections = {name for name, field in Settings.model_fields.items() if isinstance(getattr(load(), name), BaseModel)}
    known = {name for name, setting in variables().items() if setting not in sections}
    known |= {f"plans.{name}" for name in PlanSettings.model_fields}
    known |= {f"ladder.{name}" for name in RungSettings.model_fields}
    assert _documented().keys() <= known
