"""The page's files: ours under /static/, npm libraries under /vendor/, kept in memory with their compressed form."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from ottserver.errors import NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from ottserver.web.routing import Call, NoBody, NoQuery

CACHE_BYTES = 64 * 1024 * 1024
FILE_LIMIT = 16 * 1024 * 1024
COMPRESS_FROM = 1024
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
"""Every type of file that is served; the system's own table differs between machines."""
_COMPRESSED_ALREADY = (".ico", ".jpg", ".png", ".webp", ".woff2")
_DOCUMENTS = (".html", ".svg")
"""What a browser runs as a page of this origin when somebody opens its address."""
_LOCKED = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
_IMPORT_MAP = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    body: bytes
    compressed: bytes | None
    content_type: str
    digest: str
    version: tuple[int, int]
    """Time of modification in nanoseconds, and size: what tells that the file has changed."""

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return len(self.body) + len(self.compressed or b"")


class Assets:
    """Serves files below `folder`, the page's own and those of the npm packages that its package.json names."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds index.html, package.json and, after `npm ci`, node_modules. Blocks: reads package.json."""
        self._folder = folder.resolve()
        self._modules = self._folder / "node_modules"
        manifest = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        self._packages = tuple(manifest.get("dependencies", {}))
        self._kept: dict[Path, Asset] = {}
        self.kept_bytes = 0
        self.import_map_hash = _import_map_hash((folder / "index.html").read_text(encoding="utf-8"))

    async def static(self, call: Call[NoBody, NoQuery]) -> web.Response:
        """A file of our own; never package files, dot files or pages, which have addresses of their own."""
        path = call.path["path"]
        if path.startswith(("node_modules", "package")) or path.lower().endswith(".html"):
            raise _nothing()
        return await self._send(call.request, self._folder, path)

    async def vendor(self, call: Call[NoBody, NoQuery]) -> web.Response:
        """A file of one of the npm packages that the page depends on, but no page of theirs."""
        path = call.path["path"]
        package = next((name for name in self._packages if path.startswith(f"{name}/")), None)
        inside = path[len(package or "") + 1 :]
        if package is None or "node_modules" in path or inside == "package.json" or path.lower().endswith(".html"):
            raise _nothing()
        return await self._send(call.request, self._modules / package, inside)

    async def page(self, request: web.Request, name: str = "index.html") -> web.Response:
        """One of our HTML pages, by its file's name."""
        return await self._send(request, self._folder, name)

    async def _send(self, request: web.Request, folder: Path, path: str) -> web.Response:
        parts = path.split("/")
        if not path.isprintable() or "\\" in path or any(not part or part.startswith(".") for part in parts):
            raise _nothing()
        asset = await self._load(folder, folder.joinpath(*parts))
        compressed = asset.compressed is not None and _takes_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, ""))
        headers: dict[str, str] = {
            hdrs.CACHE_CONTROL: "no-cache",
            hdrs.ETAG: f'"{asset.digest}-gzip"' if compressed else f'"{asset.digest}"',
            hdrs.VARY: "Accept-Encoding",
        }
        if path.endswith(_DOCUMENTS):
            headers["Content-Security-Policy"] = _LOCKED
        known = request.if_none_match or ()
        if any(tag.value in ("*", asset.digest, f"{asset.digest}-gzip") for tag in known):
            return web.Response(status=304, headers=headers)
        headers[hdrs.CONTENT_TYPE] = asset.content_type
        if compressed:
            headers[hdrs.CONTENT_ENCODING] = "gzip"
            return web.Response(body=asset.compressed, headers=headers)
        return web.Response(body=asset.body, headers=headers)

    async def _load(self, folder: Path, path: Path) -> Asset:
        kept = self._kept.get(path)
        try:
            asset = await asyncio.to_thread(_read, folder, path, kept)
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            raise _nothing() from error
        if asset is not kept:
            self.kept_bytes += asset.size - (kept.size if kept else 0)
            self._kept[path] = asset
            if self.kept_bytes > CACHE_BYTES:
                self._kept = {path: asset}
                self.kept_bytes = asset.size
        return asset


def _nothing() -> NotFound:
    return NotFound("There is no such file.")


def _takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding field (RFC 9110, section 12.5.3) names gzip with a weight above 0."""
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() in ("gzip", "x-gzip"):
            return weight.replace(" ", "").removeprefix("q=").strip("0.") != "" or not weight.strip()
    return False


def _read(folder: Path, path: Path, kept: Asset | None) -> Asset:
    """The file, read anew only when it has changed. Blocks; raises `OSError`."""
    content_type = _TYPES.get(path.suffix)
    if content_type is None or not path.resolve().is_relative_to(folder):
        raise FileNotFoundError(path)
    status = path.stat()
    version = (status.st_mtime_ns, status.st_size)
    if kept is not None and kept.version == version:
        return kept
    if status.st_size > FILE_LIMIT:
        raise FileNotFoundError(path)
    body = path.read_bytes()
    worth_it = len(body) > COMPRESS_FROM and path.suffix not in _COMPRESSED_ALREADY
    return Asset(
        body=body,
        compressed=gzip.compress(body, 6) if worth_it else None,
        content_type=content_type,
        digest=hashlib.sha256(body).hexdigest()[:32],
        version=version,
    )


def _import_map_hash(page: str) -> str:
    """The Content-Security-Policy source that lets the page's import map, and no other inline script, run."""
    found = _IMPORT_MAP.search(page)
    digest = hashlib.sha256((found.group(1) if found else "").encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
