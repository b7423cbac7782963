"""Uploads by tus 1.0.0, request by request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import requests

    from tests.flows.people import Person

TUS = {"Tus-Resumable": "1.0.0"}


def begin(person: Person, length: int) -> str:
    """A new upload's id."""
    answer = person.ask("POST", "uploads", 201, headers={**TUS, "Upload-Length": str(length)})
    return answer.headers["Location"].rpartition("/")[2]


def send(
    person: Person, upload_id: str, data: bytes, expected: int = 204, *, offset: int = 0, **more: str
) -> requests.Response:
    """Bytes for an upload; `Upload_Checksum` is written with dashes."""
    headers = {
        **TUS,
        "Content-Type": "application/offset+octet-stream",
        "Upload-Offset": str(offset),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return person.ask("PATCH", f"uploads/{upload_id}", expected, data=data, headers=headers)


def offset_of(person: Person, upload_id: str) -> int:
    """How many bytes have arrived."""
    return int(person.ask("HEAD", f"uploads/{upload_id}", headers=TUS).headers["Upload-Offset"])


def uploaded(person: Person, data: bytes) -> str:
    """The id of a finished upload."""
    upload_id = begin(person, len(data))
    if data:
        assert send(person, upload_id, data).headers["Upload-Offset"] == str(len(data))
    return upload_id


def add(person: Person, upload_id: str, title: str) -> str:
    """A video made of an upload; its id."""
    video_id: str = person.post("admin/videos", {"upload_id": upload_id, "title": title}, 201)["video_id"]
    return video_id
