from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING

import pytest

from ottserver.web import pages
from ottserver.web.assets import Assets

if TYPE_CHECKING:
    from pathlib import Path

    from tests.web.conftest import Serve, Site

SCRIPT = "export const answer = 42;\n" * 100
PAGE = '<!doctype html><script type="importmap">{"imports": {}}</script><p>Films</p>'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    static = tmp_path / "static"
    files = {
        "index.html": PAGE,
        "docs.html": "<!doctype html><p>Contract</p>",
        "package.json": json.dumps({"dependencies": {"engine": "1", "@scope/font": "1"}}),
        "package-lock.json": "{}",
        "favicon.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
        "app/main.js": SCRIPT,
        "app/.hidden.js": "secret",
        ".env.js": "secret",
        "app/notes.md": "no type of ours",
        "node_modules/engine/dist/engine.js": "engine()",
        "node_modules/engine/demo.html": "<script>alert(1)</script>",
        "node_modules/engine/package.json": "{}",
        "node_modules/engine/node_modules/deep/x.js": "deep()",
        "node_modules/@scope/font/font.woff2": "font",
        "node_modules/stowaway/x.js": "stowaway()",
    }
    for name, text in files.items():
        path = static / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "outside.js").write_text("outside()")
    (static / "app" / "link.js").symlink_to(tmp_path / "outside.js")
    return static


@pytest.fixture
async def site(serve: Serve, folder: Path) -> Site:
    return await serve(pages.routes(await asyncio.to_thread(Assets, folder)))


async def test_own_and_library_files_are_served_with_their_types(site: Site) -> None:
    for path, content_type in (
        ("/static/app/main.js", "text/javascript; charset=utf-8"),
        ("/vendor/engine/dist/engine.js", "text/javascript; charset=utf-8"),
        ("/vendor/@scope/font/font.woff2", "font/woff2"),
        ("/favicon.ico", "image/svg+xml"),
        ("/", "text/html; charset=utf-8"),
        ("/title/abc", "text/html; charset=utf-8"),
        ("/admin/uploads/1", "text/html; charset=utf-8"),
        ("/docs", "text/html; charset=utf-8"),
    ):
        answer = await site.call("GET", path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, content_type), path


@pytest.mark.parametrize(
    "path",
    [
        "/static/../outside.js",
        "/static/%2e%2e/outside.js",
        "/static/..%2foutside.js",
        "/static/app/..%2f..%2foutside.js",
        "/static/%252e%252e/outside.js",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/..%5coutside.js",
        "/static/app/link.js",
        "/static/app",
        "/static/app/",
        "/static/.env.js",
        "/static/app/.hidden.js",
        "/static/app/notes.md",
        "/static/index.html",
        "/static/package.json",
        "/static/package-lock.json",
        "/static/node_modules/engine/dist/engine.js",
        "/static/app/main.js%00",
        "/static/app/main.js%0a",
        "/static/%ff.js",
        "/static/%ed%a0%80.js",
        "/static/" + "x" * 300 + ".js",
        "/static/" + "x/" * 2500 + "y.js",
        "/vendor/stowaway/x.js",
        "/vendor/engine",
        "/vendor/engine/",
        "/vendor/engine/package.json",
        "/vendor/engine/demo.html",
        "/vendor/engine/demo.HTML",
        "/vendor/engine/../stowaway/x.js",
        "/vendor/engine/..%2fstowaway/x.js",
        "/vendor/engine/node_modules/deep/x.js",
        "/vendor/engine-other/x.js",
    ],
)
async def test_nothing_else_can_be_reached(site: Site, path: str) -> None:
    (await site.call("GET", path)).problem(404)


async def test_page_runs_no_inline_script_but_its_import_map(site: Site) -> None:
    headers = (await site.call("GET", "/")).headers
    policy = headers["Content-Security-Policy"]
    assert "camera=()" in headers["Permissions-Policy"]
    assert "fullscreen=(self)" in headers["Permissions-Policy"]
    script = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "'sha256-KGqLjoMQ7RYpnOB+KAazAm6mjaVKNKr0m3F2pZSoP44='" not in script
    assert "'self'" in script
    assert "'sha256-" in script
    assert "unsafe" not in script
    assert "frame-ancestors 'none'" in policy


async def test_picture_opened_as_a_page_runs_nothing(site: Site) -> None:
    assert "sandbox" in (await site.call("GET", "/favicon.ico")).headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("x-gzip", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0", False),
        ("br", False),
        ("", False),
        ("notgzip", False),
    ],
)
async def test_text_travels_compressed_where_the_client_takes_it(
    site: Site, accepted: str, *, compressed: bool
) -> None:
    answer = await site.call("GET", "/static/app/main.js", headers={"Accept-Encoding": accepted})
    assert ("Content-Encoding" in answer.headers) == compressed
    assert (gzip.decompress(answer.body) if compressed else answer.body).decode() == SCRIPT
    assert answer.headers["Vary"] == "Accept-Encoding"


async def test_compressed_and_plain_bytes_have_different_tags(site: Site) -> None:
    plain = await site.call("GET", "/static/app/main.js", headers={"Accept-Encoding": "identity"})
    small = await site.call("GET", "/static/app/main.js", headers={"Accept-Encoding": "gzip"})
    assert plain.headers["ETag"] != small.headers["ETag"]


async def test_client_that_knows_the_file_is_not_sent_it_again(site: Site) -> None:
    tag = (await site.call("GET", "/static/app/main.js")).headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = await site.call("GET", "/static/app/main.js", headers={"If-None-Match": known})
        assert (answer.status, answer.body) == (304, b""), known
    for unknown in ('"other"', tag.strip('"'), ""):
        answer = await site.call("GET", "/static/app/main.js", headers={"If-None-Match": unknown})
        assert answer.status == 200, unknown


async def test_changed_file_is_sent_anew(site: Site, folder: Path) -> None:
    tag = (await site.call("GET", "/static/app/main.js")).headers["ETag"]
    (folder / "app/main.js").write_text("changed()")
    answer = await site.call("GET", "/static/app/main.js", headers={"If-None-Match": tag})
    assert (answer.status, answer.body) == (200, b"changed()")


async def test_memory_for_files_is_bounded(serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ottserver.web.assets.CACHE_BYTES", 3000)
    for number in range(5):
        (folder / f"{number}.js").write_text(f"{number}" * 900)
    assets = await asyncio.to_thread(Assets, folder)
    site = await serve(pages.routes(assets))
    for number in range(5):
        assert (await site.call("GET", f"/static/{number}.js")).body == str(number).encode() * 900
        assert assets.kept_bytes <= 3000


async def test_file_that_is_too_large_is_not_served(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ottserver.web.assets.FILE_LIMIT", 100)
    site = await serve(pages.routes(await asyncio.to_thread(Assets, folder)))
    (await site.call("GET", "/static/app/main.js")).problem(404)


async def test_mistyped_address_is_a_page_for_people_and_a_problem_for_programs(site: Site) -> None:
    for path in ("/nowhere", "/title/a/b", "/apiary"):
        person = await site.call("GET", path, headers={"Accept": "text/html,*/*;q=0.8"})
        assert (person.status, person.body.decode()) == (404, PAGE)
        assert "script-src" in person.headers["Content-Security-Policy"]
        (await site.call("GET", path)).problem(404)
    for path in ("/api/v1/nowhere", "/api", "/static/nowhere.js", "/vendor/nowhere", "/media"):
        (await site.call("GET", path, headers={"Accept": "text/html"})).problem(404)
