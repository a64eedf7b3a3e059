"""The settings of the retrieval service."""

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from servicekit.config import EnvironmentSettings, ServiceSettings

DEFAULT_ENGINE_TARGET = "unix:/run/docuchat/engine.sock"


class EmbedderName(StrEnum):
    """Which model makes the embeddings."""

    MINILM = "minilm"
    OPENAI = "openai"
    GEMINI = "gemini"


class EngineSettings(EnvironmentSettings):
    """What the engine process reads; it knows no database and no one else's secrets."""

    engine_target: str = DEFAULT_ENGINE_TARGET
    """Where the engine listens: unix:/path. Only a file's rights guard it."""

    data_dir: Path = Path("/var/lib/docuchat")
    """The engine's files go into the subfolder engine."""

    engine_compact_after_seconds: float = Field(default=900.0, ge=0)
    """How long deleted text may stay in the engine's files, seconds."""

    version: str = "0.1.0"
    """What traces show."""

    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""


class Settings(ServiceSettings):
    """Read from environment variables with the prefix DOCUCHAT_, or from well-known names such as QDRANT_URL."""

    engine_target: str = DEFAULT_ENGINE_TARGET
    """Where the embedded engine listens. Not used with QDRANT_URL."""

    qdrant_url: str = Field(default="", validation_alias="QDRANT_URL")
    """A Qdrant server or cluster; empty: the embedded engine."""

    qdrant_api_key: SecretStr | None = Field(default=None, validation_alias="QDRANT_API_KEY")
    """The server's key, if it wants one."""

    embedder: EmbedderName = EmbedderName.MINILM
    """minilm (local, English), openai or gemini. Another model is another index: documents are indexed anew into it."""

    openai_api_key: SecretStr | None = Field(default=None, validation_alias="OPENAI_API_KEY")
    """The key for openai embeddings."""

    openai_base_url: str = Field(default="", validation_alias="OPENAI_BASE_URL")
    """Any server that speaks OpenAI's embeddings API; empty: OpenAI's own."""

    openai_embedding_model: str = Field(default="text-embedding-3-small", validation_alias="OPENAI_EMBEDDING_MODEL")
    """The model that openai embeddings come from."""

    gemini_api_key: SecretStr | None = Field(default=None, validation_alias="GEMINI_API_KEY")
    """The key for gemini embeddings."""

    gemini_embedding_model: str = Field(default="gemini-embedding-001", validation_alias="GEMINI_EMBEDDING_MODEL")
    """The model that gemini embeddings come from."""

    gemini_base_url: str = Field(default="", validation_alias="GOOGLE_GEMINI_BASE_URL")
    """Another address of the Gemini API; empty: Google's own."""

    embedding_dimensions: int = Field(default=0, ge=0, le=65536)
    """How long hosted embeddings are; 0: as long as the model makes them (Gemini: 1536)."""

    @model_validator(mode="after")
    def _require_keys(self) -> Self:
        if self.embedder is EmbedderName.OPENAI and not (self.openai_api_key or self.openai_base_url):
            raise ValueError("DOCUCHAT_EMBEDDER=openai needs OPENAI_API_KEY or an OPENAI_BASE_URL that asks for none")
        if self.embedder is EmbedderName.GEMINI and not self.gemini_api_key:
            raise ValueError("DOCUCHAT_EMBEDDER=gemini needs GEMINI_API_KEY")
        return self
