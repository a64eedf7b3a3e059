"""What the flows of ingestion need from the outside world."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeAlias

from ingestion.model import (
    Caller,
    ChunkedText,
    Collection,
    CollectionId,
    Condition,
    Document,
    DocumentFilter,
    DocumentId,
    DocumentState,
    DocumentVersion,
    IncomingFile,
    Job,
    JobKind,
    Place,
    Standing,
    StoredFile,
    TenantId,
    TextRange,
    VersionId,
    Visibility,
)
from ingestion.text import Chunk, ContentType, ParsedDocument
from servicekit.metering.model import TenantLimits

PageKey: TypeAlias = tuple[datetime, str]


class Upload(Protocol):
    """Files that are arriving, in one request."""

    @property
    def collection_id(self) -> CollectionId:
        """Where the files shall go, empty for the default; a form may say so as late as behind its files."""
        ...

    def files(self) -> AsyncGenerator[IncomingFile, None]:
        """Yields one file after the other; to be closed by whoever iterates. Raises UploadStalled, InvalidMultipart."""
        ...


class Inspector(Protocol):
    """Looks at a file while it passes."""

    def feed(self, data: bytes) -> None:
        """Takes the next bytes of the file."""
        ...

    def confirm(self) -> bool:
        """Tells whether the whole file is what its head promised; may take a tenth of a second."""
        ...


class ObjectStore(Protocol):
    """Keeps files under keys. Raises DependencyUnavailable when it does not answer, StorageFull when it is full."""

    async def put(self, key: str, content: AsyncIterator[bytes]) -> None:
        """Stores all of content, or nothing if the iterator raises or the call is cancelled."""
        ...

    async def copy(self, source: str, target: str) -> None:
        """Makes target the same object as source, which then survives a power cut. Raises ObjectMissing."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Removes objects; a missing one is no error."""
        ...

    async def delete_prefix(self, prefix: str) -> None:
        """Removes every object whose key begins with prefix."""
        ...

    def read(self, key: str, frame_bytes: int) -> AsyncGenerator[bytes, None]:
        """Yields an object in frames of at most frame_bytes. Raises ObjectMissing."""
        ...

    async def download(self, key: str, path: Path) -> None:
        """Writes an object into a file. Raises ObjectMissing."""
        ...

    async def list_older(self, prefix: str, age: timedelta) -> list[str]:
        """Returns the keys under prefix that nothing has written to for that long."""
        ...

    async def remove_staging(self, prefix: str, age: timedelta) -> int:
        """Removes half-written files of that age that no key leads to; returns how many."""
        ...


class CollectionStore(Protocol):
    """Collections. A caller sees their own and those of the whole tenant."""

    async def create(self, caller: Caller, display_name: str, visibility: Visibility) -> Collection:
        """Adds a collection. Raises CollectionExists."""
        ...

    async def find(self, caller: Caller, collection_id: CollectionId) -> Collection | None:
        """Returns a collection that the caller may see."""
        ...

    async def list_page(self, caller: Caller, limit: int, before: PageKey | None) -> list[Collection]:
        """Returns at most limit collections, newest first, that are older than `before`."""
        ...


class DocumentStore(Protocol):
    """Documents as people see them; what is being deleted is gone already."""

    async def create(
        self,
        caller: Caller,
        collection_id: CollectionId,
        files: Sequence[StoredFile],
        carrier: Mapping[str, str],
        limits: TenantLimits,
    ) -> list[Document]:
        """Adds a document, a version and a job for each file, all or none.

        An empty collection_id means the caller's default collection, which is
        created on first use. Raises CollectionNotFound, and QuotaExceeded if
        the tenant's documents with these would pass a limit; uploads of one
        tenant at once cannot pass it together.
        """
        ...

    async def require_writable(self, caller: Caller, collection_id: CollectionId) -> None:
        """Raises CollectionNotFound unless the caller may put documents there."""
        ...

    async def find(self, caller: Caller, document_id: DocumentId) -> Document | None:
        """Returns a document that the caller may see."""
        ...

    async def list_page(
        self, caller: Caller, wanted: DocumentFilter, limit: int, before: PageKey | None
    ) -> list[Document]:
        """Returns at most limit documents, newest first, that are older than `before`."""
        ...

    async def require_deletable(self, caller: Caller, document_id: DocumentId) -> None:
        """Raises DocumentNotFound unless the caller may delete the document."""
        ...

    async def begin_delete(self, caller: Caller, document_id: DocumentId, carrier: Mapping[str, str]) -> None:
        """Hides a document, stops work on it and queues its removal. Raises DocumentNotFound."""
        ...

    async def has_version(self, tenant_id: TenantId, version_id: VersionId) -> bool:
        """Tells whether an upload was committed."""
        ...


class TextStore(Protocol):
    """Canonical texts and the chunks cut from them."""

    async def read_range(self, tenant_id: TenantId, version_id: VersionId, start: int, end: int) -> str:
        """Returns characters [start, end) of a text, in code points."""
        ...

    async def read_ranges(self, caller: Caller, ranges: Sequence[TextRange]) -> list[str | None]:
        """Returns what each range holds; None where the caller does not see the document with that version and text."""
        ...

    async def list_chunks(self, tenant_id: TenantId, version_id: VersionId, first: int, limit: int) -> list[Chunk]:
        """Returns at most limit chunks from chunk number `first` on."""
        ...


class JobQueue(Protocol):
    """The queue of jobs. A claim is a lease; an expired one is anybody's."""

    async def claim(self, lease_seconds: float) -> Job | None:
        """Takes the next due job, turn by turn between tenants."""
        ...

    async def renew(self, job: Job, lease_seconds: float) -> bool:
        """Extends the lease; False if the claim is no longer the job's newest."""
        ...

    async def release(self, job: Job, *, delay_seconds: float, error: str) -> bool:
        """Puts the job back as it is now, due after the delay. False if the claim is no longer the job's newest."""
        ...


class WorkStore(Protocol):
    """What the worker writes. Every write raises LeaseLost if the claim is no longer the job's newest."""

    async def load(self, job: Job) -> DocumentVersion:
        """Returns what the job is about."""
        ...

    async def load_chunked(self, job: Job) -> ChunkedText | None:
        """Returns the text and chunks that an earlier attempt stored."""
        ...

    async def enter(self, job: Job, state: DocumentState) -> None:
        """Shows the state the work has reached."""
        ...

    async def store_chunked(self, job: Job, chunked: ChunkedText) -> None:
        """Replaces the version's text and chunks with these."""
        ...

    async def record_progress(self, job: Job, indexed_count: int) -> None:
        """Shows how many chunks are indexed."""
        ...

    async def finish(
        self, job: Job, state: DocumentState, *, reason: str = "", message: str = "", embedded_by: str = ""
    ) -> None:
        """Ends the job with an end state; READY makes its version the active one.

        What the model `embedded_by` read is noted for the tenant's account in the same step.
        """
        ...

    async def turn_into_delete(self, job: Job) -> None:
        """Hides the document and queues its removal in place of the job."""
        ...

    async def remove_document(self, job: Job) -> None:
        """Removes the document, everything under it and the job."""
        ...


class Parser(Protocol):
    """Reads the text of a file, within limits of memory and time."""

    async def parse(self, path: Path, content_type: ContentType) -> ParsedDocument:
        """Returns the canonical text and its places. Raises ParseFailure."""
        ...


class Tokenizer(Protocol):
    """Counts tokens of cl100k_base. Safe to call from a thread."""

    def count(self, text: str) -> int:
        """Returns how many tokens text has."""
        ...


class PassageIndex(Protocol):
    """The search index.

    Raises Refused where trying again does not help, otherwise AppError with the
    code of the failure; UNAVAILABLE means wait and try again.
    """

    def index(self, version: DocumentVersion, chunked: ChunkedText) -> AsyncGenerator[int, None]:
        """Sends the chunks that are not indexed yet and yields how many are; the last value counts all."""
        ...

    async def activate(self, version: DocumentVersion, chunk_count: int) -> str:
        """Makes the version the one that searches see; returns the name of the model whose vectors it has."""
        ...

    async def hide(self, tenant_id: TenantId, document_id: DocumentId) -> None:
        """Hides the document from every search at once and for good."""
        ...

    async def delete(self, tenant_id: TenantId, document_id: DocumentId) -> None:
        """Hides the document from every search and removes its vectors."""
        ...

    async def check(self, standings: Sequence[Standing]) -> list[Condition | None]:
        """Tells how each of at most 100 versions stands, None where the index does not know."""
        ...


class Plans(Protocol):
    """What tenants' plans allow."""

    async def find_limits(self, tenant_id: TenantId) -> TenantLimits:
        """Returns what a tenant may store at once, as it was half a minute ago at most."""
        ...


class Meter(Protocol):
    """Holds tenants within their plans."""

    async def reserve(self, tenant_id: TenantId, usage_id: str, tokens: int, hold_seconds: int) -> None:
        """Sets tokens aside for a call of a model. Raises AppError QUOTA_EXCEEDED where the plan has no room."""
        ...


class QuoteStore(Protocol):
    """What answers quote, which chat owns. Raises AppError."""

    async def erase(self, tenant_id: TenantId, document_id: DocumentId) -> None:
        """Erases what answers hold of the document; doing it again changes nothing."""
        ...


class StandingStore(Protocol):
    """Documents of all tenants as the rows have them, for whoever compares them with the index."""

    async def begin_round(self, lease_seconds: float) -> Place | None:
        """Takes the walk over all documents and returns where it stopped; None while another process has it."""
        ...

    async def read_page(self, after: Place, limit: int) -> tuple[list[Standing], Place | None]:
        """Returns at most limit documents of one tenant and the place behind them; None if all tenants are done."""
        ...

    async def keep_place(self, place: Place, lease_seconds: float) -> None:
        """Keeps where the walk is, and the walk for that long; 0 lets it go."""
        ...

    async def change(self, standing: Standing, state: DocumentState, job: JobKind | None) -> bool:
        """Gives the document a state, and a job if one is named; False if it does not stand so any more."""
        ...
