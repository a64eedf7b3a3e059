"""The walls of the index: the one module that says which points a call may touch.

Every filter is made by _within, which puts the tenant first. Adapters translate
what they get, condition by condition, and add nothing.
"""

from dataclasses import dataclass

from retrieval.model import DocumentId, Scope, TenantId, VersionId

TENANT_KEY = "tenant_id"
KEYWORD_KEYS = (TENANT_KEY, "document_id", "version_id", "collection_id", "private_to_user_id")


@dataclass(frozen=True)
class Condition:
    """A point's field holds one of these values."""

    key: str
    any_of: tuple[str, ...]


@dataclass(frozen=True)
class PointFilter:
    """Lets a point through that meets every must and no must_not."""

    must: tuple[Condition, ...]
    must_not: tuple[Condition, ...] = ()


def restrict_to_scope(scope: Scope) -> PointFilter:
    """Returns what a caller may find: shared or own points of the tenant, narrowed where ids are given."""
    narrowed = (
        ("collection_id", scope.collection_ids),
        ("document_id", scope.document_ids),
    )
    return _within(
        scope.tenant_id,
        Condition("private_to_user_id", ("", scope.user_id)),
        *(Condition(key, ids) for key, ids in narrowed if ids),
    )


def restrict_to_tenant(tenant_id: TenantId) -> PointFilter:
    """Returns all points of a tenant: the corpus in which a term is rare or common."""
    return _within(tenant_id)


def restrict_to_version(tenant_id: TenantId, version_id: VersionId) -> PointFilter:
    """Returns the points of one version."""
    return _within(tenant_id, Condition("version_id", (version_id,)))


def restrict_to_document(tenant_id: TenantId, document_id: DocumentId, keep_version_id: str = "") -> PointFilter:
    """Returns the points of a document, except those of one version."""
    kept = (Condition("version_id", (keep_version_id,)),) if keep_version_id else ()
    return _within(tenant_id, Condition("document_id", (document_id,)), must_not=kept)


def _within(tenant_id: TenantId, *conditions: Condition, must_not: tuple[Condition, ...] = ()) -> PointFilter:
    if not tenant_id:
        raise ValueError("no tenant was named, and the index is never touched without one")
    return PointFilter((Condition(TENANT_KEY, (tenant_id,)), *conditions), must_not)
