"""The nouns of ingestion. What text is made of stands in text.py, what can go wrong in errors.py."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from ingestion.text import Chunk, ContentType, ParsedDocument

INCOMING_PREFIX = "incoming/"

TenantId = NewType("TenantId", str)
DocumentId = NewType("DocumentId", str)
VersionId = NewType("VersionId", str)
UserId = NewType("UserId", str)
CollectionId = NewType("CollectionId", str)


class Visibility(StrEnum):
    """Who sees the documents of a collection."""

    PRIVATE = "PRIVATE"
    TENANT = "TENANT"


class DocumentState(StrEnum):
    """How far processing is; READY, NO_TEXT and FAILED are end states."""

    UPLOADED = "UPLOADED"
    PARSING = "PARSING"
    CHUNKING = "CHUNKING"
    INDEXING = "INDEXING"
    READY = "READY"
    NO_TEXT = "NO_TEXT"
    FAILED = "FAILED"
    DELETING = "DELETING"


class JobKind(StrEnum):
    """What a job does with its document."""

    DELETE = "DELETE"
    PROCESS = "PROCESS"
    INDEX = "INDEX"  # once more, from the text and chunks that are stored


@dataclass(frozen=True)
class Caller:
    """The person a call is for, as the verified token names them."""

    tenant_id: TenantId
    user_id: UserId
    is_admin: bool
    api_key_id: str = ""  # empty for a person


@dataclass(frozen=True)
class TextRange:
    """Characters [start, end) of a version's canonical text, in code points."""

    document_id: DocumentId
    version_id: VersionId
    start: int
    end: int


@dataclass(frozen=True)
class Collection:
    """A set of documents that are seen by the same people."""

    collection_id: CollectionId
    display_name: str
    visibility: Visibility
    owner_user_id: str
    is_default: bool
    create_time: datetime


@dataclass(frozen=True)
class IncomingFile:
    """A file that is arriving; content can be read once, before the next file is asked for.

    content_type is set where the type is known and need not be found in the content.
    """

    filename: str
    content: AsyncIterator[bytes]
    content_type: ContentType | None = None


@dataclass(frozen=True)
class Placement:
    """Where a version of a document lies in the object store."""

    tenant_id: TenantId
    document_id: DocumentId
    version_id: VersionId

    @property
    def incoming_key(self) -> str:
        """The temporary object; while it is there, the fate of the upload is open."""
        return f"{INCOMING_PREFIX}{self.tenant_id}/{self.document_id}/{self.version_id}"

    @property
    def raw_key(self) -> str:
        """The object that lasts."""
        return f"{document_prefix(self.tenant_id, self.document_id)}{self.version_id}/raw"

    @classmethod
    def of_incoming(cls, key: str) -> "Placement":
        """Returns the placement that has this incoming_key. Raises ValueError if none has."""
        ids = key.removeprefix(INCOMING_PREFIX).split("/")
        if len(ids) != 3 or any(str(UUID(each)) != each for each in ids):
            raise ValueError("no upload has such a key")
        tenant_id, document_id, version_id = ids
        return cls(TenantId(tenant_id), DocumentId(document_id), VersionId(version_id))


@dataclass(frozen=True)
class Doomed:
    """A document that is being erased, and how many jobs were about it."""

    tenant_id: TenantId
    document_id: DocumentId
    jobs: int


@dataclass(frozen=True)
class StoredFile:
    """A file that is wholly in the object store, with what was found while it arrived."""

    placement: Placement
    filename: str
    content_type: ContentType
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class UploadLimits:
    """What one upload may hold."""

    max_file_bytes: int = 25 * 1024 * 1024
    max_files: int = 20


@dataclass(frozen=True)
class Document:
    """An uploaded file and what became of it; counts are those of version_id."""

    document_id: DocumentId
    collection_id: CollectionId
    filename: str
    state: DocumentState
    state_reason: str
    state_message: str
    size_bytes: int
    sha256: str
    content_type: str
    page_count: int
    chunk_count: int
    indexed_chunk_count: int
    token_count: int
    character_count: int
    language: str
    title: str
    version_id: VersionId
    has_text: bool
    create_time: datetime
    update_time: datetime
    process_time: datetime | None


@dataclass(frozen=True)
class DocumentFilter:
    """Which documents to list; empty means any."""

    state: DocumentState | None = None
    collection_id: CollectionId = CollectionId("")


@dataclass(frozen=True)
class Job:
    """A claimed job.

    The fence number grows with every claim, so an older claim's writes can be
    refused. attempts counts tries that failed, lost_leases those whose worker
    vanished; waited_seconds is how long it was put back for outages, in all.
    """

    job_id: int
    tenant_id: TenantId
    kind: JobKind
    document_id: DocumentId
    version_id: VersionId
    attempts: int
    lost_leases: int
    waited_seconds: float
    fence: int
    trace_carrier: Mapping[str, str] = field(default_factory=dict)

    @property
    def placement(self) -> Placement:
        """Where the job's version lies."""
        return Placement(self.tenant_id, self.document_id, self.version_id)


class Condition(StrEnum):
    """How a version stands in the index: whole, lost in part, of another embedding model, or hidden for good."""

    INTACT = "INTACT"
    DAMAGED = "DAMAGED"
    OUTDATED = "OUTDATED"
    HIDDEN = "HIDDEN"


@dataclass(frozen=True)
class Standing:
    """How a document stands in the rows; version_id is the one that searches should see, or the first on its way."""

    tenant_id: TenantId
    document_id: DocumentId
    version_id: VersionId
    state: DocumentState
    chunk_count: int
    is_active: bool  # whether searches should see the version
    has_job: bool


@dataclass(frozen=True)
class Place:
    """How far a walk over all documents has come: behind this document of this tenant."""

    tenant_id: TenantId
    document_id: DocumentId


@dataclass(frozen=True)
class DocumentVersion:
    """What processing must know of a version before it has read it."""

    tenant_id: TenantId
    document_id: DocumentId
    version_id: VersionId
    collection_id: CollectionId
    private_to_user_id: str  # empty if the whole tenant may see it
    filename: str
    content_type: ContentType


@dataclass(frozen=True)
class ChunkedText:
    """A version's text cut into chunks, ready to be indexed."""

    document: ParsedDocument
    chunks: tuple[Chunk, ...]
    title: str
    language: str  # ISO 639-1, empty where unknown
    token_count: int  # of the text; what chunks share counts once
    indexed_count: int = 0  # the first so many chunks are in the index, as far as an earlier try knows


def document_prefix(tenant_id: TenantId, document_id: DocumentId) -> str:
    """Returns what the keys of all objects of a document begin with."""
    return f"{tenant_id}/{document_id}/"


def tenant_prefixes(tenant_id: TenantId) -> tuple[str, str]:
    """Returns what the keys of all objects of a tenant begin with: of documents, and of uploads that arrive."""
    return f"{tenant_id}/", f"{INCOMING_PREFIX}{tenant_id}/"
