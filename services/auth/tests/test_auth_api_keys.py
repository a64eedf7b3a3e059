"""ApiKeyService, and what the gateway asks, through a real server and a real database."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta

import asyncpg
import grpc
import pytest
import pytest_asyncio
from google.protobuf import timestamp_pb2
from google.rpc import error_details_pb2, status_pb2

from auth.errors.keys import ApiKeyLimitReached
from auth.keys.secrets import hash_secret
from auth.model.accounts import Registration
from auth.servicers.ext_authz import ENVOYS_NAME
from auth.stores.api_keys import PostgresApiKeyStore
from docuchat.auth.v1 import api_key_service_pb2 as pb
from docuchat.auth.v1 import auth_service_pb2, ext_authz_service_pb2, user_service_pb2
from docuchat.auth.v1.api_key_service_pb2_grpc import ApiKeyServiceStub
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from docuchat.auth.v1.user_service_pb2_grpc import UserServiceStub
from servicekit.rpc.status import read_error

PASSWORD = "violet tractor hums at dawn"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest_asyncio.fixture
async def ann(stack):
    return await stack.users.sign_up(Registration("ann@example.com", PASSWORD))


@pytest_asyncio.fixture
async def keys(stack, ann):
    """ApiKeyService as Ann, who owns her tenant."""
    async with stack.channel_with(ann.tokens.access_token) as channel:
        yield ApiKeyServiceStub(channel)


async def create(keys, *scopes, **fields):
    return await keys.CreateApiKey(pb.CreateApiKeyRequest(name="server", scopes=scopes or ["READ"], **fields))


async def check(stack, **headers):
    """Asks as Envoy does; header names have underscores here."""
    send = stack.channel.unary_unary(
        f"/{ENVOYS_NAME}/Check",
        request_serializer=ext_authz_service_pb2.CheckRequest.SerializeToString,
        response_deserializer=ext_authz_service_pb2.CheckResponse.FromString,
    )
    request = ext_authz_service_pb2.CheckRequest()
    for name, value in headers.items():
        for each in [value] if isinstance(value, str) else value:
            found = request.attributes.request.http.header_map.headers.add(key=name.replace("_", "-"))
            found.raw_value = each.encode()
    return await send(request)


def passed_token(answer):
    (header,) = answer.ok_response.headers
    assert (header.header.key, header.append_action, answer.status.code) == ("authorization", 2, 0)
    return header.header.value.removeprefix("Bearer ")


async def get_me(stack, token):
    async with stack.channel_with(token) as channel:
        return await UserServiceStub(channel).GetMe(user_service_pb2.GetMeRequest())


async def test_a_key_is_shown_once_and_kept_as_a_hash(stack, keys, ann):
    made = await create(keys, "READ", "ASK")
    assert made.secret.startswith(f"{made.api_key.prefix}_")
    listed = (await keys.ListApiKeys(pb.ListApiKeysRequest())).api_keys
    assert [key.api_key_id for key in listed] == [made.api_key.api_key_id]
    assert made.api_key.user_id == ann.user.user_id
    connection = await asyncpg.connect(stack.database.admin_dsn)
    (row,) = await connection.fetch("SELECT k::text AS everything, secret_hash FROM auth.api_keys k")
    await connection.close()
    assert row["secret_hash"] == hash_secret(made.secret)
    secret = made.secret.removeprefix(made.api_key.prefix)
    assert not any(secret[start : start + 8] in row["everything"] for start in range(len(secret) - 7))


async def test_what_a_key_is_traded_for_is_a_token_that_the_methods_of_its_scopes_take(stack, keys, ann):
    made = await create(keys, "READ")
    token = passed_token(await check(stack, authorization=f"Bearer {made.secret}"))
    assert (await get_me(stack, token)).user.user_id == ann.user.user_id
    async with stack.channel_with(token) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await create(ApiKeyServiceStub(channel))
    error = read_error(caught.value)
    assert (error.reason, error.metadata["scope"]) == ("SCOPE_MISSING", "ADMIN")


async def test_an_administrators_key_makes_keys_that_can_do_no_more(stack, keys):
    made = await create(keys, "ADMIN", "READ")
    token = passed_token(await check(stack, authorization=f"Bearer {made.secret}"))
    async with stack.channel_with(token) as channel:
        await create(ApiKeyServiceStub(channel), "READ")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await create(ApiKeyServiceStub(channel), "WRITE")
    assert read_error(caught.value).reason == "SCOPE_NOT_GRANTED"


async def test_a_selected_tenant_is_one_of_the_callers(stack, ann):
    bob = await stack.users.sign_up(Registration("bob@example.com", PASSWORD))
    await add_member(stack, ann.user.user_id, bob.tenant.tenant_id)
    authorization = f"Bearer {ann.tokens.access_token}"
    token = passed_token(await check(stack, authorization=authorization, x_tenant_id=bob.tenant.tenant_id))
    assert (await get_me(stack, token)).tenant_id == bob.tenant.tenant_id
    other = f"Bearer {bob.tokens.access_token}"
    refused = await check(stack, authorization=other, x_tenant_id=ann.tenant.tenant_id, x_request_id="the-id")
    body = json.loads(refused.denied_response.body)
    assert (refused.denied_response.status.code, body["code"]) == (404, 5)
    assert body["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "TENANT_NOT_FOUND",
            "domain": "auth.docuchat",
            "metadata": {"request_id": "the-id"},
        }
    ]


async def add_member(stack, user_id, tenant_id):
    connection = await asyncpg.connect(stack.database.admin_dsn)
    await connection.execute("INSERT INTO auth.memberships VALUES ($1, $2, 'MEMBER', now())", user_id, tenant_id)
    await connection.close()


@pytest.mark.parametrize(
    ("headers", "status", "code", "reason"),
    [
        ({}, 401, 16, "TOKEN_MISSING"),
        ({"authorization": ["Bearer a.b.c", "Bearer a.b.c"]}, 401, 16, "TOKEN_INVALID"),
        ({"authorization": "Bearer dck_000000000000_" + "a" * 43}, 401, 16, "API_KEY_INVALID"),
        ({"authorization": "Basic dck_x"}, 401, 16, "TOKEN_INVALID"),
        (
            {"authorization": "Bearer \udcff".encode("utf-8", "surrogateescape").decode("latin-1")},
            401,
            16,
            "TOKEN_INVALID",
        ),
        ({"authorization": "Bearer a.b.c", "x_tenant_id": "x"}, 400, 3, "INVALID_TENANT_HEADER"),
        ({"authorization": "Bearer a.b.c", "x_on_behalf_of": "a b"}, 400, 3, "INVALID_ON_BEHALF_OF"),
        ({"authorization": "Bearer a.b.c", "x_on_behalf_of": "ann"}, 403, 7, "ON_BEHALF_OF_NOT_ALLOWED"),
    ],
)
async def test_a_refusal_is_an_answer_in_the_form_of_each_kind_of_client(stack, headers, status, code, reason):
    as_json = (await check(stack, **headers)).denied_response
    as_grpc = (await check(stack, **headers, content_type="application/grpc-web+proto")).denied_response
    assert (as_json.status.code, json.loads(as_json.body)["details"][0]["reason"]) == (status, reason)
    sent = {each.header.key: each.header.value for each in as_grpc.headers}
    details = sent["grpc-status-details-bin"]
    found = status_pb2.Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))
    info = error_details_pb2.ErrorInfo()
    found.details[0].Unpack(info)
    assert (sent["grpc-status"], found.code, info.reason) == (str(code), code, reason)
    assert (found.message, as_grpc.body) == (sent["grpc-message"], "")
    assert found.message.isascii()
    assert "%" not in found.message


async def test_a_revoked_key_is_announced_like_a_session_and_refused(stack, keys):
    made = await create(keys)
    token = passed_token(await check(stack, authorization=f"Bearer {made.secret}"))
    service = stack.services.issue_token("chat", "the secret of chat").access_token
    async with stack.channel_with(service) as channel:
        watching = AuthServiceStub(channel).WatchRevocations(auth_service_pb2.WatchRevocationsRequest())
        await watching.read()
        first = await keys.RevokeApiKey(pb.RevokeApiKeyRequest(api_key_id=made.api_key.api_key_id))
        async with asyncio.timeout(5):
            assert made.api_key.api_key_id in (await watching.read()).session_ids
        watching.cancel()
    second = await keys.RevokeApiKey(pb.RevokeApiKeyRequest(api_key_id=made.api_key.api_key_id))
    assert first.api_key.revoke_time == second.api_key.revoke_time
    async with asyncio.timeout(5):
        while (await check(stack, authorization=f"Bearer {made.secret}")).HasField("ok_response"):
            pass
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await get_me(stack, token)
    assert read_error(caught.value).reason == "TOKEN_INVALID"


async def test_a_lost_membership_takes_the_keys_along_and_announces_them(stack, keys, ann):
    made = await create(keys)
    connection = await asyncpg.connect(stack.database.admin_dsn)
    await connection.execute("DELETE FROM auth.memberships WHERE user_id = $1", ann.user.user_id)
    ended = await connection.fetch("SELECT session_id::text FROM auth.deleted_sessions")
    await connection.close()
    assert made.api_key.api_key_id in {row["session_id"] for row in ended}
    answer = await check(stack, authorization=f"Bearer {made.secret}")
    assert json.loads(answer.denied_response.body)["details"][0]["reason"] == "API_KEY_INVALID"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "", "scopes": ["READ"]},
        {"name": "x" * 101, "scopes": ["READ"]},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["READ", "READ"]},
        {"name": "x", "scopes": ["SCOPE_UNSPECIFIED"]},
        {"name": "x", "scopes": [99]},
        {"name": "x", "scopes": ["READ"], "expire_time": timestamp_pb2.Timestamp(seconds=1)},
    ],
)
async def test_a_key_that_makes_no_sense_is_refused(keys, fields):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await keys.CreateApiKey(pb.CreateApiKeyRequest(**fields))
    assert read_error(caught.value).reason == "INVALID_FIELD"


async def test_keys_are_listed_in_pages_renamed_and_rotated(keys):
    made = [await create(keys) for _ in range(3)]
    newest_first = [each.api_key.api_key_id for each in reversed(made)]
    page = await keys.ListApiKeys(pb.ListApiKeysRequest(page_size=2))
    rest = await keys.ListApiKeys(pb.ListApiKeysRequest(page_size=2, page_token=page.next_page_token))
    assert [key.api_key_id for key in [*page.api_keys, *rest.api_keys]] == newest_first
    renamed = await keys.UpdateApiKey(pb.UpdateApiKeyRequest(api_key_id=newest_first[0], name="other"))
    assert renamed.api_key.name == "other"
    rotated = await keys.RotateApiKey(pb.RotateApiKeyRequest(api_key_id=newest_first[0], overlap_seconds=60))
    assert rotated.api_key.HasField("previous_secret_expire_time")
    found = await keys.GetApiKey(pb.GetApiKeyRequest(api_key_id=newest_first[0]))
    assert found.api_key == rotated.api_key


async def test_two_at_once_do_not_both_get_the_last_place_and_ended_keys_make_room(stack, keys):
    made = await create(keys)
    store = PostgresApiKeyStore(stack.database.database)
    template = await store.find_by_secret(hash_secret(made.secret))

    async def add(number, forget_before):
        copy = {"api_key_id": f"00000000-0000-4000-8000-{number:012}", "secret_hash": f"hash {number}"}
        await store.add(type(template)(**{**vars(template), **copy}), most=2, forget_before=forget_before)

    results = await asyncio.gather(*(add(number, NOW) for number in range(6)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["ApiKeyLimitReached"] * 5 + ["NoneType"]
    await keys.RevokeApiKey(pb.RevokeApiKeyRequest(api_key_id=made.api_key.api_key_id))
    with pytest.raises(ApiKeyLimitReached):
        await add(7, NOW)
    await add(8, datetime.now(UTC) + timedelta(days=1))
    assert await store.find_by_secret(hash_secret(made.secret)) is None
