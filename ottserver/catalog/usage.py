"""What ingest asks before it removes the bytes of a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ottserver.catalog import store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ottserver.backends.database import UnitOfWork


class SourceUsage:
    """Knows which sources the catalog's videos are made of."""

    async def uses_source(self, unit: UnitOfWork, source_id: str, upload_ids: Sequence[str]) -> bool:
        """Whether a video is made of this source, or waits for one of these uploads; asked inside a transaction."""
        return await store.uses_source(unit.connection, source_id, upload_ids)
