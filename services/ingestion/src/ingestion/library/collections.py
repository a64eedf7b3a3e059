"""Making and finding collections."""

from ingestion.errors import CollectionNotFound
from ingestion.model import Caller, Collection, CollectionId, Visibility
from ingestion.ports import CollectionStore
from servicekit.errors import AccessDenied, FieldViolation, InvalidField


async def create_collection(
    store: CollectionStore, caller: Caller, display_name: str, visibility: Visibility
) -> Collection:
    """Adds a collection. Raises CollectionExists, InvalidField, and AccessDenied if a member wants TENANT."""
    if visibility is Visibility.TENANT and not caller.is_admin:
        raise AccessDenied("Only an admin of the tenant may create a collection that the whole tenant sees.")
    name = display_name.strip()
    if not name or not name.isprintable():
        raise InvalidField(FieldViolation("display_name", "must hold visible characters only, and at least one"))
    return await store.create(caller, name, visibility)


async def get_collection(store: CollectionStore, caller: Caller, collection_id: CollectionId) -> Collection:
    """Returns a collection that the caller may see. Raises CollectionNotFound."""
    found = await store.find(caller, collection_id)
    if found is None:
        raise CollectionNotFound
    return found
