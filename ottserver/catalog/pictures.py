"""Pictures that owners choose for a video: copies of its own, so that they outlast what they were made with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ottserver.backends.blobs import BlobMissing
from ottserver.errors import Conflict, FieldError, Invalid

if TYPE_CHECKING:
    from ottserver.backends.blobs import Blobs
    from ottserver.catalog.models import Video

Place = Literal["poster", "backdrop"]
PLACES: tuple[Place, ...] = ("poster", "backdrop")


class Pictures:
    """The pictures of videos in the blob store."""

    def __init__(self, blobs: Blobs) -> None:
        """Keep copies in `blobs`, where transcode's pictures are too."""
        self._blobs = blobs

    async def keep(self, video: Video, place: Place, number: int) -> str:
        """Copy one of the film's pictures for the video; the copy's blob key.

        Raises `Invalid` for a number that the film does not have, `Conflict` when the picture is not there any more.
        """
        if not 0 <= number < video.pictures:
            have = f"it has {video.pictures}, counted from 0" if video.pictures else "none have been made yet"
            message = f"There is no picture {number} of this film: {have}."
            raise Invalid(message, errors=(FieldError(place, message),))
        folder = video.picture_folder
        try:
            data = await self._blobs.get(f"artwork/{folder}/{place}-{number}.jpg")
        except BlobMissing as error:
            message = "This picture is being made anew; choose again in a moment."
            raise Conflict(message) from error
        # With what it was made from in its name: another picture has another address, and none ever changes.
        key = f"artwork/{video.id}/{place}-{number}-{folder}.jpg"
        await self._blobs.put(key, data)
        return key

    async def forget(self, video_id: str) -> None:
        """Remove the video's copies."""
        await self._blobs.delete_folder(f"artwork/{video_id}")
