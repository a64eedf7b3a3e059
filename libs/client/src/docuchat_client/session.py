"""Tokens of one session, renewed before and after they expire."""

import asyncio
import base64
import binascii
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from docuchat_client.errors import DocuChatError

RENEW_BEFORE_SECONDS = 30


@dataclass(frozen=True)
class Tokens:
    """What a session is made of; `refresh_token` is empty for an access token that cannot be renewed.

    `device_token` shows at later log-ins that this device has logged in before.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    device_token: str = field(default="", repr=False)


Renew = Callable[[str], Awaitable[Tokens]]
OnTokens = Callable[[Tokens], None]


class Session:
    """Holds the tokens of one client, and tells `on_tokens` about every new pair."""

    def __init__(
        self,
        renew: Renew,
        tokens: Tokens | None = None,
        on_tokens: OnTokens | None = None,
        device_token: str = "",
    ) -> None:
        self.tokens = tokens
        self.device_token = device_token
        self._renew = renew
        self._on_tokens = on_tokens
        self._lock = asyncio.Lock()

    def adopt(self, tokens: Tokens) -> None:
        """Goes on with these tokens; those of a refresh name no device, which stays what it is."""
        self.device_token = tokens.device_token or self.device_token
        tokens = replace(tokens, device_token=self.device_token)
        self.tokens = tokens
        if self._on_tokens:
            self._on_tokens(tokens)

    def forget(self) -> None:
        """Goes on without tokens."""
        self.tokens = None

    async def bearer(self) -> str | None:
        """Returns an access token that is not about to expire; None before a log-in.

        Raises DocuChatError INVALID_REFRESH_TOKEN when the session is over.
        """
        tokens = self.tokens
        if tokens and tokens.refresh_token and expires_soon(tokens.access_token):
            await self._replace(tokens)
        return self.tokens.access_token if self.tokens else None

    async def recover(self, failure: DocuChatError, used: str | None) -> bool:
        """Returns whether the call that failed with token `used` is worth another try, after renewing it."""
        tokens = self.tokens
        if failure.reason != "TOKEN_EXPIRED" or not tokens or not tokens.refresh_token:
            return False
        if tokens.access_token == used:
            await self._replace(tokens)
        return True

    async def _replace(self, old: Tokens) -> None:
        # A refresh token is good for one use: of many calls that find it old, the first one trades it.
        async with self._lock:
            if self.tokens is old:
                self.adopt(await self._renew(old.refresh_token))


def expires_soon(token: str) -> bool:
    """Returns whether a JWT's `exp` is past or near; False for a token that cannot be read."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"]) - time.time() < RENEW_BEFORE_SECONDS
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return False
