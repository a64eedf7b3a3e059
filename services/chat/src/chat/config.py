"""What can be set from outside."""

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from servicekit.config import ServiceSettings

ProviderName = Literal["extractive", "openai", "anthropic", "gemini"]


@dataclass(frozen=True)
class ProviderAccess:
    """Where a provider is asked, as whom, and for which model."""

    api_key: SecretStr
    base_url: str
    model: str

    @property
    def is_set(self) -> bool:
        """Whether someone set it up."""
        return bool(self.api_key.get_secret_value() or self.base_url)


class Settings(ServiceSettings):
    """Settings of the chat service; names with a prefix DOCUCHAT_ unless noted."""

    retrieval_target: str = "127.0.0.1:50053"
    """The retrieval service's gRPC address."""

    ingestion_target: str = "127.0.0.1:50052"
    """The ingestion service's gRPC address."""

    provider: Literal["", ProviderName] = ""
    """Who writes answers; if empty, the first of openai, anthropic, gemini with a key or base URL, else extractive."""

    openai_api_key: SecretStr = Field(default=SecretStr(""), validation_alias="OPENAI_API_KEY")
    """OPENAI_API_KEY: the key of the OpenAI-compatible provider; may be empty for one that reads none."""

    openai_base_url: str = Field(default="", validation_alias="OPENAI_BASE_URL")
    """OPENAI_BASE_URL: where it is; OpenAI itself if empty."""

    openai_model: str = Field(default="gpt-4.1-mini", validation_alias="OPENAI_MODEL")
    """OPENAI_MODEL: its model."""

    anthropic_api_key: SecretStr = Field(default=SecretStr(""), validation_alias="ANTHROPIC_API_KEY")
    """ANTHROPIC_API_KEY: the key for Claude."""

    anthropic_base_url: str = Field(default="", validation_alias="ANTHROPIC_BASE_URL")
    """ANTHROPIC_BASE_URL: another address of the Messages API; Anthropic's own if empty."""

    anthropic_model: str = Field(default="claude-haiku-5-5", validation_alias="ANTHROPIC_MODEL")
    """ANTHROPIC_MODEL: its model."""

    gemini_api_key: SecretStr = Field(default=SecretStr(""), validation_alias="GEMINI_API_KEY")
    """GEMINI_API_KEY: the key for Gemini."""

    gemini_base_url: str = Field(default="", validation_alias="GOOGLE_GEMINI_BASE_URL")
    """GOOGLE_GEMINI_BASE_URL: another address of the Gemini API; Google's own if empty."""

    gemini_model: str = Field(default="gemini-3.8-flash", validation_alias="GEMINI_MODEL")
    """GEMINI_MODEL: its model."""

    openai_temperature: float | Literal["none"] = 0.0
    """How freely it writes; "none" leaves the parameter out, for models that refuse it."""

    max_output_tokens: int = Field(default=1024, ge=1, le=32_000)
    """Tokens an answer may have."""

    provider_silence_seconds: float = Field(default=30, gt=0)
    """How long the provider may be silent: before its first token over all attempts, and between any two chunks."""

    prompt_token_budget: int = Field(default=8_000, ge=500)
    """Tokens of instructions, history, passages and question together (cl100k_base)."""

    answer_seconds: float = Field(default=120, gt=0)
    """How long one answer may take in all."""

    answer_characters: int = Field(default=40_000, ge=100)
    """Characters one answer may have."""

    @property
    def provider_name(self) -> ProviderName:
        """The provider that the settings choose."""
        if self.provider:
            return self.provider
        return next((name for name, access in self._hosted.items() if access.is_set), "extractive")

    @property
    def access(self) -> ProviderAccess:
        """How to reach the chosen provider, if it is one that is asked over HTTP."""
        return self._hosted[self.provider_name]

    @property
    def _hosted(self) -> dict[ProviderName, ProviderAccess]:
        return {
            "openai": ProviderAccess(self.openai_api_key, self.openai_base_url, self.openai_model),
            "anthropic": ProviderAccess(self.anthropic_api_key, self.anthropic_base_url, self.anthropic_model),
            "gemini": ProviderAccess(self.gemini_api_key, self.gemini_base_url, self.gemini_model),
        }

    @model_validator(mode="after")
    def _require_key(self) -> Self:
        name = self.provider_name
        if name == "extractive" or self.access.api_key.get_secret_value():
            return self
        if name != "openai":
            raise ValueError(f"the provider {name} needs {name.upper()}_API_KEY")
        if not self.access.base_url:
            raise ValueError("the provider openai needs OPENAI_API_KEY, or an OPENAI_BASE_URL that asks for none")
        return self
