"""The page's files: ours under /static/, npm libraries under /vendor/, kept in memory with their compressed form."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import mimetypes
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from ottserver.errors import NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from ottserver.web.routing import Call, NoBody, NoQuery

CACHE_BYTES = 64 * 1024 * 1024
FILE_LIMIT = 16 * 1024 * 1024
COMPRESS_FROM = 1024
_COMPRESSIBLE = ("text/", "application/json", "image/svg+xml", "application/manifest+json")
_IMPORT_MAP = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    body: bytes
    compressed: bytes | None
    content_type: str
    etag: str
    modified: float


class Assets:
    """Serves files below `folder`, the page's own and those of the npm packages that its package.json names."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds index.html, package.json and, after `npm ci`, node_modules. Blocks: reads package.json."""
        self._folder = folder.resolve()
        self._modules = self._folder / "node_modules"
        manifest = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        self._packages = tuple(manifest.get("dependencies", {}))
        self._kept: dict[Path, Asset] = {}
        self._kept_bytes = 0
        self.import_map_hash = _import_map_hash((folder / "index.html").read_text(encoding="utf-8"))

    async def static(self, call: Call[NoBody, NoQuery]) -> web.Response:
        """A file of our own; never package files or dot files."""
        path = call.path["path"]
        if path.startswith(("node_modules", "package")):
            raise NotFound(_NOTHING)
        return await self._send(call.request, self._folder, path)

    async def vendor(self, call: Call[NoBody, NoQuery]) -> web.Response:
        """A file of one of the npm packages that the page depends on."""
        path = call.path["path"]
        package = next((name for name in self._packages if path.startswith(f"{name}/")), None)
        if package is None:
            raise NotFound(_NOTHING)
        return await self._send(call.request, self._modules / package, path[len(package) + 1 :])

    async def page(self, request: web.Request, name: str = "index.html") -> web.Response:
        """One of our HTML pages, by its file's name."""
        return await self._send(request, self._folder, name)

    async def _send(self, request: web.Request, folder: Path, path: str) -> web.Response:
        parts = path.split("/")
        if "\0" in path or "\\" in path or any(not part or part.startswith(".") for part in parts):
            raise NotFound(_NOTHING)
        asset = await self._load(folder.joinpath(*parts))
        headers = {"Cache-Control": "no-cache", "ETag": asset.etag, "Vary": "Accept-Encoding"}
        if request.headers.get("If-None-Match") == asset.etag:
            return web.Response(status=304, headers=headers)
        body = asset.body
        if asset.compressed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            body = asset.compressed
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers | {"Content-Type": asset.content_type})

    async def _load(self, path: Path) -> Asset:
        try:
            asset = await asyncio.to_thread(_read, path, self._kept.get(path))
        except OSError as error:
            raise NotFound(_NOTHING) from error
        if self._kept.get(path) is not asset:
            self._kept_bytes += len(asset.body)
            if self._kept_bytes > CACHE_BYTES:
                self._kept.clear()
                self._kept_bytes = len(asset.body)
            self._kept[path] = asset
        return asset


_NOTHING = "There is no such file."


def _read(path: Path, kept: Asset | None) -> Asset:
    """The file, read anew only when it has changed. Blocks; raises `OSError`."""
    status = path.stat()
    if kept is not None and kept.modified == status.st_mtime:
        return kept
    if status.st_size > FILE_LIMIT:
        raise FileNotFoundError(path)
    body = path.read_bytes()
    content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if path.suffix in (".js", ".mjs"):
        content_type = "text/javascript"
    text = content_type.startswith(_COMPRESSIBLE)
    return Asset(
        body=body,
        compressed=gzip.compress(body, 6) if text and len(body) > COMPRESS_FROM else None,
        content_type=f"{content_type}; charset=utf-8" if text else content_type,
        etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        modified=status.st_mtime,
    )


def _import_map_hash(page: str) -> str:
    """The Content-Security-Policy source that lets the page's import map, and no other inline script, run."""
    found = _IMPORT_MAP.search(page)
    digest = hashlib.sha256((found.group(1) if found else "").encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
