from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ottserver.backends.database import open_database
from ottserver.billing.models import Plan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ottserver.backends.database import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(f"sqlite:///{tmp_path}/ott.db") as opened:
        yield opened


@pytest.fixture
def plans() -> tuple[Plan, ...]:
    return (
        Plan("basic", "Basic", 199, "INR", "720p", 720, 1),
        Plan("standard", "Standard", 499, "INR", "1080p", 1080, 2),
        Plan("premium", "Premium", 799, "INR", "4K", 2160, 4),
    )
