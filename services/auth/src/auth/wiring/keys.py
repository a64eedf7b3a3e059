"""API keys, and what is traded for tokens at the gateway."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import grpc

from auth.billing.usage import UsageMeter
from auth.config import Settings
from auth.keys.api_keys import ApiKeys
from auth.keys.exchange import Exchange
from auth.keys.uses import LastUses
from auth.ports.accounts import AccountStore, PlanLimits, TokenSigner
from auth.servicers.api_key import ApiKeyServicer
from auth.servicers.ext_authz import ExtAuthzServicer, add_as_envoy_calls_it
from auth.stores.api_keys import PostgresApiKeyStore
from docuchat.auth.v1.api_key_service_pb2_grpc import add_ApiKeyServiceServicer_to_server
from servicekit.database import Database
from servicekit.tokens import Revocations, TokenVerifier


@dataclass(frozen=True)
class KeyFlows:
    """What is done about API keys."""

    api_keys: ApiKeys
    exchange: Exchange
    uses: LastUses


@dataclass(frozen=True)
class PlansOfTenants:
    """A PlanLimits: what the plans say that tenants have bought."""

    meter: UsageMeter

    async def find(self, tenant_id: str) -> int:
        """Returns how many calls a minute all callers of a tenant may make; 0 for no limit."""
        return (await self.meter.find_limits(tenant_id)).requests_per_minute


def build_keys(
    database: Database,
    accounts: AccountStore,
    signer: TokenSigner,
    verifier: TokenVerifier,
    revoked: Revocations,
    limits: PlanLimits,
    clock: Callable[[], datetime],
) -> KeyFlows:
    """Chooses an adapter for every port."""
    store = PostgresApiKeyStore(database)
    uses = LastUses(store)
    exchange = Exchange(store, accounts, limits, signer, verifier, revoked, uses, clock)
    return KeyFlows(ApiKeys(store, clock), exchange, uses)


def add_key_servicers(server: grpc.aio.Server, flows: KeyFlows, settings: Settings) -> None:
    """Adds the service of API keys, and the one that the gateway asks."""
    add_ApiKeyServiceServicer_to_server(ApiKeyServicer(flows.api_keys), server)
    names = {"tenant_header": settings.tenant_header, "on_behalf_of_header": settings.on_behalf_of_header}
    add_as_envoy_calls_it(ExtAuthzServicer(flows.exchange, **names), server)
