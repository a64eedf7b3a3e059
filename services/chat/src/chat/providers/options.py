"""What every provider over HTTP is told."""

from dataclasses import dataclass, field

from pydantic import SecretStr


@dataclass(frozen=True)
class ProviderOptions:
    """Where and how to ask; an empty base_url is the provider's own."""

    model: str
    base_url: str
    api_key: SecretStr = field(default=SecretStr(""))
    max_output_tokens: int = 1024
    silence_seconds: float = 30  # before the first byte, and between any two chunks
    answer_seconds: float = 120  # of a whole answer
