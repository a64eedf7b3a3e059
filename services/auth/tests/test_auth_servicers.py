"""Both services through a real server, real stores and the generated stubs."""

import asyncio
import json
from datetime import timedelta

import asyncpg
import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from auth.errors import accounts as errors
from docuchat.auth.v1 import auth_service_pb2 as pb
from docuchat.auth.v1 import error_reason_pb2, tenant_pb2, user_service_pb2
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from docuchat.auth.v1.user_service_pb2_grpc import UserServiceStub
from docuchat.common.v1 import error_reason_pb2 as common_error_reason_pb2
from servicekit.errors import AppError
from servicekit.rpc.status import read_error
from servicekit.tokens import StaticKeys, TokenVerifier, parse_jwks

EMAIL = "ann@example.com"
PASSWORD = "violet tractor hums at dawn"
WRONG = "violet tractor hums at dusk"


async def sign_up(stack, email=EMAIL, **names):
    return await AuthServiceStub(stack.channel).SignUp(pb.SignUpRequest(email=email, password=PASSWORD, **names))


async def refused(call):
    """Returns the error that a call ends with, as a client reads it."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return read_error(raised.value)


async def violated_fields(call):
    """Returns the reason that a call ends with and the fields its BadRequest names."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    bad_request = error_details_pb2.BadRequest()
    details = [each for each in rpc_status.from_call(raised.value).details if each.Unpack(bad_request)]
    assert len(details) == 1
    return read_error(raised.value).reason, [each.field for each in bad_request.field_violations]


async def get_me(stack, token):
    async with stack.channel_with(token) as channel:
        return await UserServiceStub(channel).GetMe(user_service_pb2.GetMeRequest())


async def test_a_new_user_can_ask_who_they_are(stack):
    made = await sign_up(stack, display_name="Ann", tenant_name="Acme Inc")
    me = await get_me(stack, made.tokens.access_token)
    assert (me.user, me.tenant_id) == (made.user, made.tenant.tenant_id)
    assert (made.user.email, made.tenant.slug, made.tokens.expires_in_seconds) == (EMAIL, "acme-inc", 900)
    assert made.user.create_time.seconds > 1_700_000_000
    assert [(each.tenant, each.role) for each in me.memberships] == [(made.tenant, tenant_pb2.Membership.OWNER)]


async def test_log_in_refresh_and_log_out_follow_each_other(stack):
    await sign_up(stack)
    auth = AuthServiceStub(stack.channel)
    first = (await auth.Login(pb.LoginRequest(email=EMAIL, password=PASSWORD))).tokens
    second = (await auth.Refresh(pb.RefreshRequest(refresh_token=first.refresh_token))).tokens
    assert (await get_me(stack, second.access_token)).user.email == EMAIL
    await auth.Logout(pb.LogoutRequest(refresh_token=second.refresh_token))
    error = await refused(auth.Refresh(pb.RefreshRequest(refresh_token=second.refresh_token)))
    assert (error.code, error.reason) == ("UNAUTHENTICATED", "INVALID_REFRESH_TOKEN")
    await auth.Logout(pb.LogoutRequest(refresh_token="never given out"))


async def test_without_a_token_nobody_is_described(stack):
    error = await refused(UserServiceStub(stack.channel).GetMe(user_service_pb2.GetMeRequest()))
    assert (error.code, error.reason) == ("UNAUTHENTICATED", "TOKEN_MISSING")


async def test_an_unknown_address_and_a_wrong_password_answer_with_the_same_bytes(stack):
    await sign_up(stack)
    answers = []
    for email in (EMAIL, "nobody@example.com", "a password by mistake", "nul\0@example.com"):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await AuthServiceStub(stack.channel).Login(pb.LoginRequest(email=email, password=WRONG))
        error = read_error(raised.value)
        metadata = {key: value for key, value in error.metadata.items() if key != "request_id"}
        answers.append((raised.value.code(), raised.value.details(), error.reason, metadata))
    assert answers == [answers[0]] * 4
    assert answers[0][2] == "INVALID_CREDENTIALS"


async def test_ten_wrong_passwords_make_the_eleventh_wait(stack):
    await sign_up(stack)
    auth = AuthServiceStub(stack.channel)
    for _ in range(10):
        await refused(auth.Login(pb.LoginRequest(email=EMAIL, password=WRONG)))
    error = await refused(auth.Login(pb.LoginRequest(email=EMAIL, password=PASSWORD)))
    assert (error.code, error.reason, error.retry_after_seconds) == ("RESOURCE_EXHAUSTED", "TOO_MANY_ATTEMPTS", 1)


async def test_a_tenant_of_others_is_not_found(stack):
    await sign_up(stack)
    others = (await sign_up(stack, email="bob@example.com")).tenant.tenant_id
    login = pb.LoginRequest(email=EMAIL, password=PASSWORD, tenant_id=others)
    error = await refused(AuthServiceStub(stack.channel).Login(login))
    assert (error.code, error.reason) == ("NOT_FOUND", "TENANT_NOT_FOUND")


OUT_OF_BOUNDS = [
    (pb.SignUpRequest(email=EMAIL, password="short"), "WEAK_PASSWORD", "password"),
    (pb.SignUpRequest(email="not an address", password=PASSWORD), "INVALID_FIELD", "email"),
    (pb.SignUpRequest(email=EMAIL), "INVALID_FIELD", "password"),
    (pb.SignUpRequest(email=EMAIL, password="x" * 1025), "INVALID_FIELD", "password"),
    (pb.SignUpRequest(email=EMAIL, password="x" * 5_000_000), "INVALID_FIELD", "password"),
    (pb.SignUpRequest(email=EMAIL, password=PASSWORD, tenant_name="x" * 101), "INVALID_FIELD", "tenant_name"),
    (pb.LoginRequest(email=EMAIL, password="x" * 5_000_000), "INVALID_FIELD", "password"),
    (pb.LoginRequest(email=EMAIL, password=WRONG, tenant_id="x"), "INVALID_FIELD", "tenant_id"),
    (pb.RefreshRequest(refresh_token="x" * 513), "INVALID_FIELD", "refresh_token"),
    (pb.LogoutRequest(), "INVALID_FIELD", "refresh_token"),
]


async def test_a_field_out_of_bounds_is_named(stack):
    for request, reason, field in OUT_OF_BOUNDS:
        method = getattr(AuthServiceStub(stack.channel), type(request).__name__.removesuffix("Request"))
        assert await violated_fields(method(request)) == (reason, [field]), (type(request), field)


async def test_a_password_of_ten_megabytes_is_never_hashed(stack, monkeypatch):
    hashed = []
    monkeypatch.setattr(stack.hasher, "run", lambda *args: hashed.append(args))
    auth = AuthServiceStub(stack.channel)
    for size in (1_025, 1_000_000, 10_000_000):
        error = await refused(auth.Login(pb.LoginRequest(email=EMAIL, password="x" * size)))
        assert error.code in {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}
    assert hashed == []


async def test_the_published_keys_verify_the_tokens(stack):
    answer = await AuthServiceStub(stack.channel).GetJwks(pb.GetJwksRequest())
    made = await sign_up(stack)
    assert answer.content_type == "application/jwk-set+json"
    assert all("d" not in key for key in json.loads(answer.data)["keys"])
    verifier = TokenVerifier(StaticKeys(parse_jwks(answer.data)))
    principal = await verifier.verify(made.tokens.access_token)
    assert (principal.subject, principal.tenant_id) == (made.user.user_id, made.tenant.tenant_id)


async def test_a_service_gets_a_token_for_its_secret_and_it_is_no_users(stack):
    request = pb.IssueServiceTokenRequest(service_name="ingestion", service_secret="the secret of ingestion")
    answer = await AuthServiceStub(stack.channel).IssueServiceToken(request)
    assert answer.expires_in_seconds == 3600
    error = await refused(get_me(stack, answer.access_token))
    assert (error.code, error.reason) == ("PERMISSION_DENIED", "ACCESS_DENIED")


@pytest.mark.parametrize(("name", "secret"), [("ingestion", "guess"), ("chat", "the secret of ingestion")])
async def test_a_service_without_its_secret_gets_nothing(stack, name, secret):
    request = pb.IssueServiceTokenRequest(service_name=name, service_secret=secret)
    error = await refused(AuthServiceStub(stack.channel).IssueServiceToken(request))
    assert (error.code, error.reason) == ("UNAUTHENTICATED", "INVALID_SERVICE_CREDENTIALS")


async def test_names_with_control_characters_are_stored_without_them(stack):
    made = await sign_up(stack, display_name="An\0n\r\nB", tenant_name="\0")
    assert (made.user.display_name, made.tenant.display_name) == ("An n B", "An n B")


async def test_neither_passwords_nor_refresh_tokens_are_in_the_database(stack):
    made = await sign_up(stack)
    connection = await asyncpg.connect(stack.database.admin_dsn)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'auth'")
        rows = [str(await connection.fetch(f"SELECT * FROM auth.{table['tablename']}")) for table in tables]
    finally:
        await connection.close()
    dump = "\n".join(rows)
    assert EMAIL in dump
    assert PASSWORD[:8] not in dump
    assert made.tokens.refresh_token[:8] not in dump


def test_every_reason_is_in_the_contract():
    known = set(error_reason_pb2.ErrorReason.keys()) | set(common_error_reason_pb2.ErrorReason.keys())
    arguments = {"WeakPassword": ["is short"], "TooManyAttempts": [timedelta(1)], "RotationUnderWay": [timedelta(1)]}
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, AppError)]
    reasons = {each(*arguments.get(each.__name__, [])).reason for each in classes if each is not AppError}
    assert len(reasons) >= 8
    assert reasons <= known


async def test_of_twenty_refreshes_at_once_one_successor_lives_and_a_second_branch_ends_the_family(stack):
    stub = AuthServiceStub(stack.channel)
    first = (await sign_up(stack)).tokens.refresh_token
    answers = await asyncio.gather(*(stub.Refresh(pb.RefreshRequest(refresh_token=first)) for _ in range(20)))
    (successor,) = {answer.tokens.refresh_token for answer in answers}
    next_one = (await stub.Refresh(pb.RefreshRequest(refresh_token=successor))).tokens.refresh_token
    # Whoever still holds the first token is not the one who goes on.
    assert (await refused(stub.Refresh(pb.RefreshRequest(refresh_token=first)))).reason == "INVALID_REFRESH_TOKEN"
    assert (await refused(stub.Refresh(pb.RefreshRequest(refresh_token=next_one)))).reason == "INVALID_REFRESH_TOKEN"
