from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from typing import TYPE_CHECKING

import pytest
from tusclient.client import TusClient

from tests.flows.people import eventually, new_owner
from tests.flows.screens import decoded_frames, fetch, tracks
from tests.flows.uploads import TUS, add, begin, offset_of, send, uploaded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.conftest import Cinema, StartQuick
    from tests.flows.people import Person

CHUNK = 4 * 1024 * 1024


def client(person: Person) -> TusClient:
    """tuspy, signed in."""
    return TusClient(f"{person.url}/api/v1/uploads", headers=person.headers)


def zipped() -> bytes:
    """An archive with a text in it."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("film.txt", "not a film " * 100)
    return target.getvalue()


def test_upload_goes_on_after_the_server_was_killed(start_quick: StartQuick, bbb_1080p: Path) -> None:
    size = bbb_1080p.stat().st_size
    server = start_quick(OTT_INGEST_MAX_UPLOAD_BYTES=str(size))
    owner = new_owner(server)
    metadata = {"filename": "Bunny.mp4"}
    with bbb_1080p.open("rb") as file:
        uploader = client(owner).uploader(file_stream=file, chunk_size=CHUNK, metadata=metadata)
        uploader.upload(stop_at=2 * CHUNK)
    address = str(uploader.url)
    upload_id = address.rpartition("/")[2]
    video_id = add(owner, upload_id, "Bunny")
    server.kill()
    server.start()
    assert offset_of(owner, upload_id) == 2 * CHUNK
    with bbb_1080p.open("rb") as file:
        again = client(owner).uploader(file_stream=file, chunk_size=CHUNK, url=address)
        assert again.offset == 2 * CHUNK
        again.upload()
    video = owner.until(video_id, "playable", "complete")
    assert (video["upload_id"], video["size_bytes"], video["duration_seconds"]) == (upload_id, size, 30.0)
    there = tracks(owner.play(video_id)["manifest_url"])
    assert len(there["480"].segments) == 15
    assert fetch(there["480"].segments[7]).status_code == 200
    (stored,) = (server.data / "blobs/sources").rglob("*/*")
    assert hashlib.sha256(stored.read_bytes()).digest() == hashlib.sha256(bbb_1080p.read_bytes()).digest()
    too_long = owner.ask("POST", "uploads", 413, headers={**TUS, "Upload-Length": str(size + 1)})
    assert str(size) in too_long.json()["detail"]


def test_same_bytes_again_are_there_at_once(cinema: Cinema, bbb_1080p: Path) -> None:
    owner = cinema.owner
    owner.until(cinema.video_id, "complete")
    sources = sorted((cinema.server.data / "blobs/sources").rglob("*/*"))
    before = tracks(owner.play(cinema.video_id)["manifest_url"])["480"]
    video_id = add(owner, uploaded(owner, bbb_1080p.read_bytes()), "Bunny again")
    twin = owner.until(video_id, "complete", within=20)
    assert twin["duration_seconds"] == 30.0
    after = tracks(owner.play(video_id)["manifest_url"])["480"]
    assert [url.rpartition("/v480/")[0][-32:] for url in after.segments] == [
        url.rpartition("/v480/")[0][-32:] for url in before.segments
    ]
    assert fetch(after.segments[0]).headers["ETag"] == fetch(before.segments[0]).headers["ETag"]
    assert sorted((cinema.server.data / "blobs/sources").rglob("*/*")) == sources
    owner.ask("DELETE", f"admin/videos/{video_id}", 204)
    owner.get(f"admin/videos/{video_id}", 404)
    eventually(lambda: fetch(after.segments[1]).status_code == 403 or None)
    assert fetch(before.segments[1]).status_code == 200


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("text", "text"),
        ("empty", "empty"),
        ("zip", "ZIP"),
        ("playlist", "playlist"),
        ("script", "playlist"),
        ("cut short", "incomplete"),
        ("without its end", "incomplete"),
        ("noise", "video"),
    ],
)
def test_what_is_no_film_fails_in_words(cinema: Cinema, scene: Path, bbb_1080p: Path, name: str, word: str) -> None:
    whole = scene.read_bytes()
    bad = {
        "text": b"Once upon a time there was a rabbit.\n" * 50,
        "empty": b"",
        "zip": zipped(),
        "playlist": f"#EXTM3U\n#EXTINF:30,\nfile://{bbb_1080p}\n#EXT-X-ENDLIST\n".encode(),
        "script": f"ffconcat version 1.0\nfile '{bbb_1080p}'\n".encode(),
        "cut short": whole[: len(whole) // 2],
        "without its end": whole[:-40_000],
        "noise": bytes(range(7, 256)) * 400,
    }[name]
    owner = cinema.owner
    video_id = add(owner, uploaded(owner, bad), f"Bad: {name}")
    video = owner.until(video_id, "failed")
    assert word in video["reason"]
    assert video["reason"].endswith(".")
    assert str(cinema.server.data) not in video["reason"]
    assert owner.get(f"play/{video_id}", 409)["detail"] == video["reason"]
    owner.ask("DELETE", f"admin/videos/{video_id}", 204)
    owner.get(f"videos/{video_id}/metadata", 404)


def test_a_failed_film_is_mended_by_other_bytes(start_quick: StartQuick, scene: Path) -> None:
    server = start_quick()
    owner = new_owner(server)
    video_id = add(owner, uploaded(owner, b"not a film, alas\n" * 99), "Mended")
    owner.until(video_id, "failed")
    replaced = owner.post(f"admin/videos/{video_id}/source", {"upload_id": uploaded(owner, scene.read_bytes())})
    assert replaced["video_id"] == video_id
    video = eventually(lambda: seen if (seen := owner.video(video_id))["status"] == "complete" else None)
    assert (video["title"], video["reason"]) == ("Mended", None)
    assert decoded_frames(tracks(owner.play(video_id)["manifest_url"])["480"]) == 96
    assert owner.get("admin/videos")["total"] == 1

    def only_the_film() -> bool | None:
        return len(list((server.data / "blobs/sources").rglob("*/*"))) == 1 or None

    eventually(only_the_film)


def test_bytes_that_do_not_fit_are_refused_and_none_is_kept(cinema: Cinema) -> None:
    owner = cinema.owner
    data = b"0123456789" * 1000
    upload_id = begin(owner, len(data))
    send(owner, upload_id, data[:4000])
    send(owner, upload_id, data[3000:], 409, offset=3000)
    send(owner, upload_id, data[5000:], 409, offset=5000)
    wrong = base64.b64encode(hashlib.sha1(b"other bytes").digest()).decode()  # noqa: S324 - an algorithm of tus
    send(owner, upload_id, data[4000:5000], 460, offset=4000, Upload_Checksum=f"sha1 {wrong}")
    send(owner, upload_id, data[4000:] + b"more", 413, offset=4000)
    assert offset_of(owner, upload_id) == 4000
    right = base64.b64encode(hashlib.sha256(data[4000:5000]).digest()).decode()
    send(owner, upload_id, data[4000:5000], offset=4000, Upload_Checksum=f"sha256 {right}")
    owner.ask("DELETE", f"uploads/{upload_id}", 204, headers=TUS)
    owner.ask("HEAD", f"uploads/{upload_id}", 410, headers=TUS)
    owner.post("admin/videos", {"upload_id": upload_id, "title": "Gone"}, 404)
