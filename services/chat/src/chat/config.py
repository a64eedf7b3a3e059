"""What can be set from outside."""

from typing import Literal

from pydantic import Field, SecretStr
from servicekit.config import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the chat service; names with a prefix DOCUCHAT_ unless noted."""

    retrieval_target: str = "127.0.0.1:50053"
    """The retrieval service's gRPC address."""

    ingestion_target: str = "127.0.0.1:50052"
    """The ingestion service's gRPC address."""

    provider: Literal["", "extractive", "openai"] = ""
    """Who writes answers; if empty, openai where OPENAI_API_KEY or OPENAI_BASE_URL is set, else extractive."""

    openai_api_key: SecretStr = Field(default=SecretStr(""), validation_alias="OPENAI_API_KEY")
    """OPENAI_API_KEY: the key of the OpenAI-compatible provider; may be empty for one that reads none."""

    openai_base_url: str = Field(default="", validation_alias="OPENAI_BASE_URL")
    """OPENAI_BASE_URL: where it is; OpenAI itself if empty."""

    openai_model: str = Field(default="gpt-4.1-mini", validation_alias="OPENAI_MODEL")
    """OPENAI_MODEL: its model."""

    openai_temperature: float | Literal["none"] = 0.0
    """How freely it writes; "none" leaves the parameter out, for models that refuse it."""

    max_output_tokens: int = Field(default=1024, ge=1, le=32_000)
    """Tokens an answer may have."""

    provider_silence_seconds: float = Field(default=30, gt=0)
    """How long the provider may be silent before the answer fails."""

    prompt_token_budget: int = Field(default=8_000, ge=500)
    """Tokens of instructions, history, passages and question together (cl100k_base)."""

    answer_seconds: float = Field(default=120, gt=0)
    """How long one answer may take in all."""

    answer_characters: int = Field(default=40_000, ge=100)
    """Characters one answer may have."""

    @property
    def provider_name(self) -> Literal["extractive", "openai"]:
        """The provider that the settings choose."""
        if self.provider:
            return self.provider
        return "openai" if self.openai_api_key.get_secret_value() or self.openai_base_url else "extractive"
