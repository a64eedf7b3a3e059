"""Removing the points of versions that were begun and will never be shown."""

import asyncio

from retrieval.ports import VectorIndex, VersionRegistry
from servicekit.errors import AppError
from servicekit.telemetry import get_logger

SWEEP_SECONDS = 600.0
SWEEP_VERSIONS = 1000  # a round


async def sweep_regularly(
    index: VectorIndex, registry: VersionRegistry, *, every_seconds: float = SWEEP_SECONDS
) -> None:
    """Sweeps now and again and again; never returns."""
    while True:
        try:
            if count := await sweep(index, registry):
                get_logger("sweep").info("abandoned versions removed", count=count)
        except AppError as error:
            # Database or index is away; the next round tries again.
            get_logger("sweep").warning("sweep postponed", reason=error.reason)
        await asyncio.sleep(every_seconds)


async def sweep(index: VectorIndex, registry: VersionRegistry) -> int:
    """Removes abandoned versions, points first, so that what is cut short is found again; returns how many."""
    abandoned = await registry.find_abandoned(SWEEP_VERSIONS)
    for version in abandoned:
        await index.delete_version(version.tenant_id, version.version_id)
        await registry.forget_abandoned(version)
    return len(abandoned)
