"""The nouns of metering, as auth's UsageService takes them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

UsageKind = Literal["ANSWER", "DOCUMENT", "QUERY"]


@dataclass(frozen=True)
class UsageEntry:
    """One call of a model. `usage_id` (a UUID) makes it count once; `cached_tokens` are among `input_tokens`."""

    usage_id: str
    tenant_id: str
    user_id: str
    kind: UsageKind
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    end_time: datetime
    cached_tokens: int = 0
    api_key_id: str = ""


@dataclass(frozen=True)
class TenantLimits:
    """What a tenant's plan allows to be stored at once; 0 is no limit."""

    documents: int = 0
    storage_bytes: int = 0
    bots: int = 0
