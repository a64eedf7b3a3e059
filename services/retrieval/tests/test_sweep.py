import asyncio
from datetime import UTC, datetime

import pytest

from retrieval.indexing.sweep import sweep, sweep_regularly
from retrieval.model import AbandonedVersion, IndexUnavailable

ABANDONED = [AbandonedVersion("t", "d", version, datetime.now(UTC)) for version in ("v1", "v2")]


class Fakes:
    """Index and registry in one, with a log of what was called."""

    def __init__(self):
        self.abandoned, self.log, self.failures = list(ABANDONED), [], 0

    async def find_abandoned(self, limit):
        return self.abandoned[:limit]

    async def forget_abandoned(self, version):
        self.log.append(("forget", version.version_id))
        self.abandoned.remove(version)

    async def delete_version(self, tenant_id, version_id):
        if self.failures:
            self.failures -= 1
            raise IndexUnavailable
        self.log.append(("delete", version_id))


async def test_points_go_before_their_record():
    fakes = Fakes()
    assert await sweep(fakes, fakes) == 2
    assert fakes.log == [("delete", "v1"), ("forget", "v1"), ("delete", "v2"), ("forget", "v2")]
    assert await sweep(fakes, fakes) == 0


async def test_a_sweep_that_finds_the_index_away_forgets_nothing_and_comes_again():
    fakes = Fakes()
    fakes.failures = 1
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sweep_regularly(fakes, fakes, every_seconds=0.01), 0.2)
    assert fakes.abandoned == []
    assert fakes.log[0] == ("delete", "v1")
