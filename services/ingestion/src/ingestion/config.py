"""The settings of ingestion, for the server and the worker alike."""

from pydantic import Field

from servicekit.config import ServiceSettings


class Settings(ServiceSettings):
    """Read from environment variables with the prefix DOCUCHAT_."""

    retrieval_target: str = "127.0.0.1:50053"
    """The retrieval service's gRPC address."""

    chat_target: str = "127.0.0.1:50054"
    """The chat service's gRPC address, where quotes of deleted documents are erased."""

    object_store_url: str = "file:///var/lib/docuchat/objects"
    """Where files are kept: file:///folder, or s3://bucket/prefix (with the usual AWS_* variables)."""

    max_upload_bytes: int = Field(default=25 * 1024 * 1024, gt=0, le=2**31 - 1)
    """The most bytes a file may have."""

    max_upload_files: int = Field(default=20, gt=0, le=20)
    """The most files an upload may carry."""

    upload_idle_seconds: float = Field(default=30, gt=0)
    """How long an upload may bring next to nothing before it is dropped."""

    upload_total_seconds: float = Field(default=1800, gt=0, le=3000)
    """How long an upload may take in all."""

    max_pages: int = Field(default=500, gt=0)
    """The most pages a document may have."""

    parse_memory_bytes: int = Field(default=1024**3, gt=0)
    """Memory of the process that reads a document."""

    parse_cpu_seconds: int = Field(default=60, gt=0)
    """Processor time for reading a document."""

    parse_wall_seconds: float = Field(default=90, gt=0)
    """Time for reading a document."""

    parse_confinement_required: bool = False
    """Whether documents wait, instead of being read, on a machine without seccomp or Landlock."""

    chunk_tokens: int = Field(default=400, gt=0)
    """The most cl100k_base tokens of a chunk."""

    chunk_overlap_tokens: int = Field(default=40, ge=0)
    """Tokens that a chunk shares with the one before."""

    worker_concurrency: int = Field(default=2, gt=0)
    """Jobs a worker runs at once."""

    worker_poll_seconds: float = Field(default=0.25, gt=0)
    """How often an idle worker looks for a job."""

    worker_grace_seconds: float = Field(default=5, ge=0)
    """How long running jobs may go on after SIGTERM before they are put back."""

    lease_seconds: float = Field(default=30, gt=0)
    """How long a job stays with a worker that gives no sign of life."""

    heartbeat_seconds: float = Field(default=5, gt=0)
    """How often a worker gives that sign; well below lease_seconds."""

    max_attempts: int = Field(default=3, gt=0)
    """How often a document's processing may fail before the document does."""

    max_outage_hours: float = Field(default=24, gt=0)
    """How long a document waits, in all, for services that are away before it fails."""

    reconcile_seconds: float = Field(default=120, gt=0)
    """How often documents are compared with the index."""

    sweep_seconds: float = Field(default=600, gt=0)
    """How often the server removes what abandoned uploads left behind."""
