"""Removing the points of versions that were begun and will never be shown."""

from retrieval.model import AbandonedVersion
from retrieval.ports import VectorIndex, VersionRegistry
from servicekit.errors import AppError, Code
from servicekit.telemetry import count_event, get_logger

SWEEP_SECONDS = 600.0
SWEEP_VERSIONS = 1000  # a round


async def sweep(index: VectorIndex, registry: VersionRegistry) -> int:
    """Removes abandoned versions, then collections that no version refers to; returns how many versions are gone.

    One that cannot be removed is left for the next round. Raises what says that database or index is away.
    """
    abandoned = await registry.find_abandoned(SWEEP_VERSIONS)
    removed = [await _remove(index, registry, version) for version in abandoned]
    generations = await registry.find_generations()
    if generations is not None:
        await index.drop_others(generations)
    if count := sum(removed):
        get_logger("sweep").info("abandoned versions removed", count=count)
    return count


async def _remove(index: VectorIndex, registry: VersionRegistry, version: AbandonedVersion) -> bool:
    try:
        # Claimed first: from here on nobody writes or shows it. Points next, so that what is cut short is found again.
        if not await registry.claim_abandoned(version):
            return False
        await index.delete_version(version.tenant_id, version.version_id)
        await registry.forget_abandoned(version)
    except AppError as error:
        if error.code is Code.UNAVAILABLE:
            raise
        _note_failure(version)
        return False
    except Exception:  # noqa: BLE001 - one version never keeps the others from being swept
        _note_failure(version)
        return False
    return True


def _note_failure(version: AbandonedVersion) -> None:
    count_event("sweep.version.failed")
    get_logger("sweep").exception("version could not be swept", version_id=version.version_id)
