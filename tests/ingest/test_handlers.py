from __future__ import annotations

import asyncio
import base64
import hashlib
import io
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tusclient.client import TusClient

from ottserver.ingest.handlers import BLOCK
from tests.support.house import FILM, House, eventually, house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import ClientResponse
    from aiohttp.test_utils import TestClient

    Client = TestClient[Any, Any]

PATH = "/api/v1/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
LONG = FILM * 5
BYTES = {"Content-Type": "application/offset+octet-stream"}


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as opened:
        yield opened


@pytest.fixture
async def client(home: House) -> Client:
    return await home.client()


async def begin(client: Client, length: int = len(FILM), metadata: str = "") -> str:
    headers = {**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata}
    answer = await client.post(PATH, headers=headers)
    assert answer.status == 201, await answer.text()
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    return answer.headers["Location"]


async def send(client: Client, where: str, offset: int, data: object, **headers: str) -> ClientResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.patch(where, data=data, headers={**TUS, **BYTES, "Upload-Offset": str(offset), **named})


async def offset(client: Client, where: str) -> int:
    answer = await client.head(where, headers=TUS)
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    return int(answer.headers["Upload-Offset"])


def checksum(data: bytes, algorithm: str = "sha1") -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


async def test_options_says_what_the_server_can_do_to_anybody(home: House) -> None:
    client = await home.client("")
    answer = await client.options(PATH)
    assert answer.status == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    extensions = "creation,creation-with-upload,expiration,checksum,termination"
    assert answer.headers["Tus-Extension"] == extensions
    assert answer.headers["Tus-Max-Size"] == "10000000"
    assert answer.headers["Tus-Checksum-Algorithm"].split(",") == ["sha1", "sha256", "md5"]


@pytest.mark.parametrize(("token", "status"), [("", 401), ("member", 403), ("owner", 201)])
async def test_only_managers_upload(home: House, token: str, status: int) -> None:
    client = await home.client(token)
    answer = await client.post(PATH, headers={**TUS, "Upload-Length": "5"})
    assert answer.status == status


async def test_upload_in_pieces_becomes_a_source_with_the_same_bytes(home: House, client: Client) -> None:
    where = await begin(client, metadata="filename ZmlsbS5ta3Y=,empty")
    half = len(FILM) // 2
    first = await send(client, where, 0, FILM[:half])
    assert first.status == 204
    assert first.headers["Upload-Offset"] == str(half)
    assert "Upload-Expires" in first.headers
    head = await client.head(where, headers=TUS)
    assert head.headers["Upload-Metadata"] == "filename ZmlsbS5ta3Y=,empty"
    assert head.headers["Upload-Length"] == str(len(FILM))
    last = await send(client, where, half, FILM[half:])
    assert last.headers["Upload-Offset"] == str(len(FILM))
    assert "Upload-Expires" not in last.headers
    source = await home.until_source(await home.until_stored(where.rpartition("/")[2]), "ready")
    assert await home.blobs.get(source.blob_key) == FILM
    assert source.sha256 == hashlib.sha256(FILM).hexdigest()
    assert await offset(client, where) == len(FILM)
    assert list((home.folder / "uploads").iterdir()) == []


async def test_independent_client_uploads_with_checksums(home: House, client: Client) -> None:
    tus = TusClient(str(client.make_url(PATH)), headers={"Authorization": "Bearer owner"})

    def upload() -> str:
        metadata = {"filename": "film.mkv"}
        uploader = tus.uploader(
            file_stream=io.BytesIO(FILM), chunk_size=100_000, upload_checksum=True, metadata=metadata
        )
        uploader.upload()
        return str(uploader.url)

    url = await asyncio.to_thread(upload)
    source_id = await home.until_stored(url.rpartition("/")[2])
    assert (await home.ingest.source(source_id)).size_bytes == len(FILM)
    assert (await home.ingest.source_of_upload(url.rpartition("/")[2])).filename == "film.mkv"


async def test_creation_takes_the_first_bytes(home: House, client: Client) -> None:
    headers = {**TUS, **BYTES, "Upload-Length": str(len(FILM)), "Upload-Checksum": checksum(FILM, "sha256")}
    answer = await client.post(PATH, data=FILM, headers=headers)
    assert answer.status == 201
    assert answer.headers["Upload-Offset"] == str(len(FILM))
    await home.until_stored(answer.headers["Location"].rpartition("/")[2])


async def test_creation_with_damaged_bytes_leaves_nothing_behind(home: House, client: Client) -> None:
    headers = {**TUS, **BYTES, "Upload-Length": "100", "Upload-Checksum": checksum(b"other")}
    answer = await client.post(PATH, data=b"x" * 100, headers=headers)
    assert answer.status == 460
    assert list((home.folder / "uploads").iterdir()) == []


async def test_bytes_that_do_not_match_their_checksum_do_not_count(client: Client) -> None:
    where = await begin(client)
    answer = await send(client, where, 0, FILM[:1000], Upload_Checksum=checksum(b"other"))
    assert answer.status == 460
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert answer.content_type == "application/problem+json"
    assert await offset(client, where) == 0
    again = await send(client, where, 0, FILM[:1000], Upload_Checksum=checksum(FILM[:1000]))
    assert again.status == 204
    assert await offset(client, where) == 1000


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Tus-Resumable": "0.2.2"}, 412),
        ({"Upload-Length": ""}, 400),
        ({"Upload-Length": "-1"}, 400),
        ({"Upload-Length": "1e3"}, 400),
        ({"Upload-Length": "9" * 30}, 400),
        ({"Upload-Length": "10000001"}, 413),
        ({"Upload-Defer-Length": "1"}, 400),
        ({"Upload-Metadata": "a !"}, 400),
    ],
)
async def test_creation_that_cannot_be_is_refused(client: Client, headers: dict[str, str], status: int) -> None:
    answer = await client.post(PATH, headers={**TUS, "Upload-Length": "5", **headers})
    assert answer.status == status
    assert answer.headers["Tus-Resumable"] == "1.0.0"
    assert (answer.headers.get("Tus-Version") == "1.0.0") is (status == 412)
    assert (await answer.json())["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Offset": "7"}, 409),
        ({"Upload-Offset": "x"}, 400),
        ({"Content-Type": "application/octet-stream"}, 415),
        ({"Upload-Checksum": "crc32 AAAA"}, 400),
        ({"Tus-Resumable": "2.0.0"}, 412),
    ],
)
async def test_patch_that_does_not_fit_changes_nothing(client: Client, headers: dict[str, str], status: int) -> None:
    where = await begin(client)
    answer = await client.patch(where, data=b"abc", headers={**TUS, **BYTES, "Upload-Offset": "0", **headers})
    assert answer.status == status
    assert await offset(client, where) == 0


async def in_pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@pytest.mark.parametrize("chunked", [False, True])
async def test_more_bytes_than_were_announced_are_refused_whole(client: Client, *, chunked: bool) -> None:
    where = await begin(client, 10)
    assert (await send(client, where, 0, b"12345")).status == 204
    answer = await send(client, where, 5, in_pieces(b"678", b"90!") if chunked else b"67890!")
    assert answer.status == 413
    assert await offset(client, where) == 5


@pytest.mark.parametrize("name", ["0197a3f0-0000-7000-8000-000000000000", "x", "..%2f..%2fetc%2fpasswd", "%00", "%ff"])
async def test_unknown_upload_is_404(client: Client, name: str) -> None:
    for method in ("HEAD", "PATCH", "DELETE"):
        answer = await client.request(method, f"{PATH}/{name}", headers={**TUS, **BYTES, "Upload-Offset": "0"})
        assert answer.status == 404, method
        assert "Upload-Offset" not in answer.headers


async def test_terminated_upload_is_gone_with_its_bytes(home: House, client: Client) -> None:
    where = await begin(client)
    await send(client, where, 0, FILM[:1000])
    assert (await client.delete(where, headers=TUS)).status == 204
    assert list((home.folder / "uploads").iterdir()) == []
    assert (await client.head(where, headers=TUS)).status == 410
    assert (await send(client, where, 1000, b"x")).status == 410
    assert (await client.delete(where, headers=TUS)).status == 410


async def test_method_override_stands_for_the_method(client: Client) -> None:
    where = await begin(client)
    headers = {**TUS, **BYTES, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert (await client.post(where, data=b"abc", headers=headers)).status == 204
    assert await offset(client, where) == 3
    assert (await client.post(where, headers=TUS)).status == 405
    overridden = await client.post(where, headers={**TUS, "X-HTTP-Method-Override": "DELETE"})
    assert overridden.status == 204


async def test_override_opens_nothing_to_those_who_are_not_signed_in(home: House, client: Client) -> None:
    where = await begin(client)
    stranger = await home.client("")
    answer = await stranger.options(where, headers={**TUS, "X-HTTP-Method-Override": "DELETE"})
    assert answer.status == 204
    assert await offset(client, where) == 0


async def test_client_that_vanishes_keeps_what_has_arrived(home: House, client: Client) -> None:
    where = await begin(client, len(LONG))
    async with half_sent(client, where):
        before = await until_written(client, where)
    present = await until_unlocked(client, where, LONG)
    assert present >= before
    source = await home.ingest.source(await home.until_stored(where.rpartition("/")[2]))
    assert await home.blobs.get(source.blob_key) == LONG


async def test_client_that_vanishes_in_a_checked_chunk_starts_the_chunk_again(home: House, client: Client) -> None:
    where = await begin(client, len(LONG))
    staged = home.folder / "uploads" / where.rpartition("/")[2]

    async def on_disk() -> bool | None:
        return staged.stat().st_size > 0 or None

    async with half_sent(client, where, f"Upload-Checksum: {checksum(LONG)}\r\n"):
        await eventually(on_disk)
        assert await offset(client, where) == 0
    assert await until_unlocked(client, where, LONG) == 0


async def until_written(client: Client, where: str) -> int:
    async def look() -> int | None:
        return await offset(client, where) or None

    return await eventually(look)


async def until_unlocked(client: Client, where: str, data: bytes) -> int:
    """Send what is missing as soon as the server has noticed that the other client is gone; where that began."""

    async def attempt() -> int | None:
        present = await offset(client, where)
        answer = await send(client, where, present, io.BytesIO(data[present:]))
        return present if answer.status == 204 else None

    return await eventually(attempt)


@asynccontextmanager
async def half_sent(client: Client, where: str, more: str = "") -> AsyncIterator[None]:
    """A client that announces all of `LONG`, sends the better part of it, and vanishes."""
    url = client.make_url("/")
    _, writer = await asyncio.open_connection(url.host, url.port)
    head = (
        f"PATCH {where} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer owner\r\nTus-Resumable: 1.0.0\r\n"
        "Upload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n"
        f"Content-Length: {len(LONG)}\r\n{more}\r\n"
    )
    writer.write(head.encode() + LONG[: BLOCK + 100_000])
    await writer.drain()
    yield
    writer.close()


async def test_of_two_writers_one_wins(client: Client) -> None:
    where = await begin(client, len(LONG))
    go = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield LONG[:BLOCK]
        await go.wait()
        yield LONG[BLOCK:]

    first = asyncio.create_task(send(client, where, 0, slowly()))
    present = await until_written(client, where)
    second = await send(client, where, present, b"x")
    go.set()
    assert second.status == 409
    assert (await first).headers["Upload-Offset"] == str(len(LONG))


async def test_upload_survives_a_restart_of_the_server(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        client = await home.client()
        where = await begin(client)
        await send(client, where, 0, FILM[:100_000])
    async with house(tmp_path) as home:
        client = await home.client()
        assert await offset(client, where) == 100_000
        await send(client, where, 100_000, FILM[100_000:])
        await home.until_stored(where.rpartition("/")[2])
