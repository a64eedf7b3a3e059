import asyncio
from datetime import UTC, datetime
from functools import partial

import pytest

from retrieval.errors import IndexUnavailable
from retrieval.indexing.sweep import sweep
from retrieval.model import AbandonedVersion
from servicekit.repeating import repeat

ABANDONED = [AbandonedVersion("t", "d", version, datetime.now(UTC)) for version in ("v1", "v2", "v3")]


class Fakes:
    """Index and registry in one, with a log of what was called."""

    def __init__(self):
        self.abandoned, self.log, self.errors = list(ABANDONED), [], {}
        self.revived, self.generations = set(), frozenset({"old"})

    async def find_abandoned(self, limit):
        return self.abandoned[:limit]

    async def claim_abandoned(self, version):
        self.log.append(("claim", version.version_id))
        return version.version_id not in self.revived

    async def forget_abandoned(self, version):
        self.log.append(("forget", version.version_id))
        self.abandoned.remove(version)

    async def delete_version(self, tenant_id, version_id):
        if error := self.errors.pop(version_id, None):
            raise error
        self.log.append(("delete", version_id))

    async def find_generations(self):
        return self.generations

    async def drop_others(self, generations):
        self.log.append(("keep", *generations))


async def test_a_version_is_claimed_then_its_points_go_then_its_record():
    fakes = Fakes()
    assert await sweep(fakes, fakes) == 3
    assert fakes.log[:3] == [("claim", "v1"), ("delete", "v1"), ("forget", "v1")]
    assert await sweep(fakes, fakes) == 0


async def test_a_version_that_was_activated_since_it_was_found_keeps_its_points():
    fakes = Fakes()
    fakes.revived = {"v1"}
    assert await sweep(fakes, fakes) == 2
    assert ("delete", "v1") not in fakes.log
    assert ("forget", "v1") not in fakes.log


async def test_one_version_that_cannot_be_swept_does_not_keep_the_others():
    fakes = Fakes()
    fakes.errors = {"v1": TypeError("unforeseen")}
    assert await sweep(fakes, fakes) == 2
    assert [version.version_id for version in fakes.abandoned] == ["v1"]


async def test_a_sweep_that_finds_the_index_away_forgets_nothing_and_ends_its_round():
    fakes = Fakes()
    fakes.errors = {"v1": IndexUnavailable()}
    with pytest.raises(IndexUnavailable):
        await sweep(fakes, fakes)
    assert fakes.log == [("claim", "v1")]
    assert fakes.abandoned == ABANDONED


@pytest.mark.parametrize("error", [IndexUnavailable(), TypeError("unforeseen")])
async def test_the_sweep_comes_again_whatever_happened(error):
    fakes = Fakes()
    fakes.errors = {"v1": error}
    sweeping = asyncio.create_task(repeat("sweep", partial(sweep, fakes, fakes), every_seconds=0.001))
    async with asyncio.timeout(10):
        while fakes.abandoned and not sweeping.done():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
    assert not sweeping.done()
    sweeping.cancel()


async def test_collections_go_that_no_version_refers_to_but_none_while_one_does_not_say():
    fakes = Fakes()
    await sweep(fakes, fakes)
    assert fakes.log[-1] == ("keep", "old")
    fakes.generations = None
    fakes.log.clear()
    await sweep(fakes, fakes)
    assert fakes.log == []
