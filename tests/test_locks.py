"""Lock files say what setup.cfg and package.json ask for, and nothing about where it comes from."""

from __future__ import annotations

import configparser
import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.server import ROOT

if TYPE_CHECKING:
    from pathlib import Path

LOCKS = ROOT / "config" / "locks"
NPM_FOLDERS = ("static", "tests")


def locked(name: str) -> dict[str, str]:
    """Version by package of one lock file of Python's."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (LOCKS / f"{name}.txt").read_text(), re.MULTILINE))


def asked(text: str) -> set[str]:
    """Names of the packages in one list of setup.cfg, as lock files spell them."""
    names = re.findall(r"^([A-Za-z0-9_-]+)", text, re.MULTILINE)
    return {name.lower().replace("_", "-") for name in names}


@pytest.fixture(scope="module")
def project() -> configparser.ConfigParser:
    """setup.cfg."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_dependency_is_locked(project: configparser.ConfigParser) -> None:
    assert asked(project["options"]["install_requires"]) <= locked("run").keys()
    assert asked(project["options.extras_require"]["dev"]) <= locked("dev").keys()


def test_development_runs_the_versions_that_users_run() -> None:
    assert locked("run").items() <= locked("dev").items()


@pytest.mark.parametrize("path", sorted(LOCKS.glob("*.txt")), ids=lambda path: path.stem)
def test_every_locked_package_has_hashes_and_no_address(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    assert len(re.findall(r"^\S+==[^\n]*\\\n    --hash=sha256:", text, re.MULTILINE)) == len(locked(path.stem))


@pytest.mark.parametrize("folder", NPM_FOLDERS)
def test_every_npm_package_has_a_hash_and_no_address(folder: str) -> None:
    text = (ROOT / folder / "package-lock.json").read_text()
    assert "://" not in text
    packages = {name: package for name, package in json.loads(text)["packages"].items() if name}
    assert packages
    assert all("integrity" in package for package in packages.values())


@pytest.mark.parametrize("folder", NPM_FOLDERS)
def test_npm_lock_files_are_up_to_date(folder: str) -> None:
    wanted = json.loads((ROOT / folder / "package.json").read_text())
    lock = json.loads((ROOT / folder / "package-lock.json").read_text())["packages"][""]
    for kind in ("dependencies", "devDependencies"):
        assert lock.get(kind, {}) == wanted.get(kind, {})
