"""Comparing what documents say of themselves with what the index holds, and mending what differs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from ingestion.model import Condition, DocumentId, DocumentState, JobKind, Place, Standing, TenantId
from ingestion.pipeline.retry import is_outage
from ingestion.ports import PassageIndex, StandingStore
from servicekit.errors import AppError
from servicekit.telemetry import count_event, get_logger

PAGE_DOCUMENTS = 100
# With these a round has its end, and the next goes on from there.
ROUND_PAGES = 100
# Longer than a page takes; whoever dies on its walk keeps others from it for no longer than this.
LEASE_SECONDS = 90.0
ENDED = frozenset({DocumentState.READY, DocumentState.NO_TEXT, DocumentState.FAILED})
# READY that is not, and FAILED that could be READY: its index may be back, or its embedding model willing again.
SEARCHABLE = frozenset({DocumentState.READY, DocumentState.FAILED})


@dataclass(frozen=True)
class Reconciler:
    """Walks over all documents, page by page; one process of the deployment at a time."""

    standings: StandingStore
    index: PassageIndex

    async def run_round(self) -> None:
        """Goes on where the last round stopped, to the end or for ROUND_PAGES. Raises AppError on an outage."""
        place = await self.standings.begin_round(LEASE_SECONDS)
        if place is None:
            return
        mended: Counter[str] = Counter()
        try:
            for _ in range(ROUND_PAGES):
                page, behind = await self.standings.read_page(place, PAGE_DOCUMENTS)
                if behind is None:
                    place = START
                    break
                mended.update(await self._mend_page(page))
                place = behind
                await self.standings.keep_place(place, LEASE_SECONDS)
        finally:
            await self.standings.keep_place(place, 0)
            get_logger("reconciler").info("reconciled", mended=dict(mended))

    async def _mend_page(self, page: Sequence[Standing]) -> Counter[str]:
        idle = [standing for standing in page if not standing.has_job]
        mended = Counter[str]()
        for standing in idle:
            if standing.state not in ENDED:
                mended["JOB_LOST"] += await self.standings.change(standing, standing.state, lost_job(standing.state))
        searchable = [standing for standing in idle if standing.is_active and standing.state in SEARCHABLE]
        for standing, condition in zip(searchable, await self._check(searchable), strict=True):
            if await self._mend(standing, condition):
                mended[str(condition)] += 1
        for what, count in mended.items():
            for _ in range(count):
                count_event("reconciler.mended", what=what)
        return mended

    async def _check(self, standings: Sequence[Standing]) -> Sequence[Condition | None]:
        if not standings:
            return []
        try:
            return await self.index.check(standings)
        except AppError as error:
            if is_outage(error):
                raise
            # One page that cannot be judged must not keep the walk from all behind it.
            count_event("reconciler.page.failed", reason=error.reason)
            get_logger("reconciler").warning("documents could not be compared", reason=error.reason)
            return [None] * len(standings)

    async def _mend(self, standing: Standing, condition: Condition | None) -> bool:
        match condition:
            case Condition.DAMAGED | Condition.OUTDATED:
                return await self.standings.change(standing, DocumentState.INDEXING, JobKind.INDEX)
            case Condition.HIDDEN:
                return await self.standings.change(standing, DocumentState.DELETING, JobKind.DELETE)
            case Condition.INTACT if standing.state is DocumentState.FAILED:
                return await self.standings.change(standing, DocumentState.READY, None)
            case Condition.INTACT | None:
                return False
            case _:
                assert_never(condition)


LEAST_ID = "00000000-0000-0000-0000-000000000000"
START = Place(TenantId(LEAST_ID), DocumentId(LEAST_ID))


def lost_job(state: DocumentState) -> JobKind:
    """Returns the job that a document in this state should have: a restored database may have lost it."""
    return JobKind.DELETE if state is DocumentState.DELETING else JobKind.PROCESS
