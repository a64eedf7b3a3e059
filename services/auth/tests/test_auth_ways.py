"""Every way in through a real server and real stores: what it answers, what it does, and that it tells nobody more."""

import re
from contextlib import contextmanager

import asyncpg
import grpc
import pytest
from sqlalchemy import event

from docuchat.auth.v1 import auth_service_pb2 as pb
from docuchat.auth.v1 import user_service_pb2 as user_pb
from docuchat.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from docuchat.auth.v1.user_service_pb2_grpc import UserServiceStub
from servicekit.rpc.status import read_error

EMAIL, STRANGE = "ann@example.com", "nobody@example.com"
PASSWORD, OTHER = "violet tractor hums at dawn", "seven quiet otters read news"
FROM = (("x-from", "192.0.2.1"),)


async def sign_up(stack, email=EMAIL, password=PASSWORD):
    return await AuthServiceStub(stack.channel).SignUp(pb.SignUpRequest(email=email, password=password))


async def refused(call):
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    error = read_error(raised.value)
    return error.code, error.reason


def me(channel):
    return UserServiceStub(channel)


async def verify(stack, made):
    code = await stack.read_code(made.user.email)
    async with stack.channel_with(made.tokens.access_token) as channel:
        return (await me(channel).VerifyEmail(user_pb.VerifyEmailRequest(code=code))).user


async def test_a_code_from_a_mail_logs_in_and_its_device_is_known_from_then_on(stack):
    made = await sign_up(stack)
    assert (await verify(stack, made)).is_email_verified
    auth = AuthServiceStub(stack.channel)
    await auth.RequestCode(pb.RequestCodeRequest(email=EMAIL))
    code = await stack.read_code(EMAIL)
    answer = await auth.VerifyCode(pb.VerifyCodeRequest(email=EMAIL, code=code, device="Ann's laptop"), metadata=FROM)
    async with stack.channel_with(answer.tokens.access_token) as channel:
        assert (await me(channel).GetMe(user_pb.GetMeRequest())).user.user_id == made.user.user_id
        sessions = (await me(channel).ListSessions(user_pb.ListSessionsRequest())).sessions
    first, second = sessions
    assert (first.device, first.address, first.is_current) == ("Ann's laptop", "192.0.2.1", True)
    assert second.device.startswith("grpc-python")
    assert not second.is_current
    again = pb.VerifyCodeRequest(email=EMAIL, code=code)
    assert await refused(auth.VerifyCode(again)) == ("INVALID_ARGUMENT", "INVALID_CODE")
    token = answer.tokens.device_token
    for _ in range(10):
        await refused(auth.Login(pb.LoginRequest(email=EMAIL, password=OTHER), metadata=FROM))
    slowed = pb.LoginRequest(email=EMAIL, password=PASSWORD)
    assert await refused(auth.Login(slowed, metadata=FROM)) == ("RESOURCE_EXHAUSTED", "TOO_MANY_ATTEMPTS")
    assert (await auth.Login(pb.LoginRequest(email=EMAIL, password=PASSWORD, device_token=token), metadata=FROM)).tokens


async def test_a_password_is_reset_by_mail(stack):
    await verify(stack, await sign_up(stack))
    auth = AuthServiceStub(stack.channel)
    await auth.RequestPasswordReset(pb.RequestPasswordResetRequest(email=EMAIL))
    code = await stack.read_code(EMAIL)
    await auth.ResetPassword(pb.ResetPasswordRequest(email=EMAIL, code=code, new_password=OTHER))
    assert (await auth.Login(pb.LoginRequest(email=EMAIL, password=OTHER))).tokens.device_token
    assert (await refused(auth.Login(pb.LoginRequest(email=EMAIL, password=PASSWORD))))[1] == "INVALID_CREDENTIALS"
    assert "changed" in (await stack.read_mail())[-1]["subject"]


async def test_a_password_is_changed_by_whoever_knows_it(stack):
    made = await sign_up(stack)
    async with stack.channel_with(made.tokens.access_token) as channel:
        change = me(channel).ChangePassword
        wrong = user_pb.ChangePasswordRequest(current_password=OTHER, new_password=OTHER)
        assert await refused(change(wrong)) == ("INVALID_ARGUMENT", "WRONG_PASSWORD")
        await change(user_pb.ChangePasswordRequest(current_password=PASSWORD, new_password=OTHER))
        assert (await me(channel).GetMe(user_pb.GetMeRequest())).user.email == EMAIL
    assert (await AuthServiceStub(stack.channel).Login(pb.LoginRequest(email=EMAIL, password=OTHER))).tokens


async def test_sessions_are_ended_one_by_one_or_all_at_once(stack):
    made = await sign_up(stack)
    auth = AuthServiceStub(stack.channel)
    for _ in range(3):
        last = (await auth.Login(pb.LoginRequest(email=EMAIL, password=PASSWORD))).tokens
    async with stack.channel_with(made.tokens.access_token) as channel:
        sessions = (await me(channel).ListSessions(user_pb.ListSessionsRequest())).sessions
        other = next(each.session_id for each in sessions if not each.is_current)
        await me(channel).RevokeSession(user_pb.RevokeSessionRequest(session_id=other))
        again = me(channel).RevokeSession(user_pb.RevokeSessionRequest(session_id=other))
        assert await refused(again) == ("NOT_FOUND", "SESSION_NOT_FOUND")
        answer = await me(channel).RevokeAllSessions(user_pb.RevokeAllSessionsRequest(keep_current=True))
        assert answer.revoked == 2
    reason = (await refused(auth.Refresh(pb.RefreshRequest(refresh_token=last.refresh_token))))[1]
    assert reason == "INVALID_REFRESH_TOKEN"
    kept = await auth.Refresh(pb.RefreshRequest(refresh_token=made.tokens.refresh_token))
    other = (await auth.Login(pb.LoginRequest(email=EMAIL, password=PASSWORD))).tokens
    await auth.Logout(pb.LogoutRequest(refresh_token=kept.tokens.refresh_token, is_everywhere=True))
    for tokens in (kept.tokens, other):
        assert (await refused(auth.Refresh(pb.RefreshRequest(refresh_token=tokens.refresh_token))))[1] == reason


async def test_a_session_of_somebody_else_is_not_found(stack):
    ann, bob = await sign_up(stack), await sign_up(stack, "bob@example.com")
    async with stack.channel_with(bob.tokens.access_token) as channel:
        (theirs,) = (await me(channel).ListSessions(user_pb.ListSessionsRequest())).sessions
    async with stack.channel_with(ann.tokens.access_token) as channel:
        call = me(channel).RevokeSession(user_pb.RevokeSessionRequest(session_id=theirs.session_id))
        assert await refused(call) == ("NOT_FOUND", "SESSION_NOT_FOUND")


def request_for(name, email):
    return {
        "SignUp": pb.SignUpRequest(email=email, password=OTHER),
        "Login": pb.LoginRequest(email=email, password=OTHER),
        "RequestCode": pb.RequestCodeRequest(email=email),
        "VerifyCode": pb.VerifyCodeRequest(email=email, code="not it"),
        "RequestPasswordReset": pb.RequestPasswordResetRequest(email=email),
        "ResetPassword": pb.ResetPasswordRequest(email=email, code="not it", new_password=OTHER),
    }[name]


@contextmanager
def statements(stack):
    """Yields the statements that are sent to PostgreSQL meanwhile, without their values."""
    seen, engine = [], stack.database.database._engine.sync_engine

    def note(_connection, _cursor, statement, *_rest):
        # Not the feed of ended sessions, which looks when it likes.
        if "deleted_sessions" not in statement:
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def comparable(answer):
    """Returns what is the same for all: tokens and ids cut to their lengths, addresses left out."""
    text = re.sub(r"seconds: \d+|nanos: \d+", "", str(answer)).replace(EMAIL, "").replace(STRANGE, "")
    return re.sub(r'(_id|token|slug|display_name): "[^"]*"', r"\1", text)


async def outcome(stack, name, email):
    """Returns a call's answer or error as bytes that may differ only by accident, and the statements behind it."""
    with statements(stack) as seen:
        try:
            answer = await getattr(AuthServiceStub(stack.channel), name)(request_for(name, email))
        except grpc.aio.AioRpcError as error:
            failure = read_error(error)
            answer = (error.code(), error.details(), failure.reason, sorted(set(failure.metadata) - {"request_id"}))
    return comparable(answer), seen


WAYS = ("SignUp", "Login", "RequestCode", "VerifyCode", "RequestPasswordReset", "ResetPassword")


async def test_whether_an_address_has_an_account_shows_neither_in_the_answer_nor_in_the_work(stack):
    await verify(stack, await sign_up(stack))
    for name in ("RequestCode", "RequestPasswordReset"):
        for email in (EMAIL, STRANGE):
            await getattr(AuthServiceStub(stack.channel), name)(request_for(name, email))
    # A sign-up makes an account of the strange address, so it comes last.
    for name in reversed(WAYS):
        known, strange = await outcome(stack, name, EMAIL), await outcome(stack, name, STRANGE)
        assert known == strange, name
        assert known[1], name


async def test_no_code_is_in_an_answer_a_log_line_or_the_database(stack, capfd):
    answers = [await sign_up(stack)]
    await stack.read_mail()
    auth = AuthServiceStub(stack.channel)
    answers.append(await auth.RequestCode(pb.RequestCodeRequest(email=EMAIL)))
    connection = await asyncpg.connect(stack.database.admin_dsn)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'auth'")
        rows = [str(await connection.fetch(f"SELECT * FROM auth.{table['tablename']}")) for table in tables]
    finally:
        await connection.close()
    code = await stack.read_code(EMAIL)
    await refused(auth.VerifyCode(pb.VerifyCodeRequest(email=EMAIL, code=code[::-1] + "0")))
    answers.append(await auth.VerifyCode(pb.VerifyCodeRequest(email=EMAIL, code=code)))
    written = capfd.readouterr()
    for text in (*map(str, answers), *rows, written.out, written.err):
        assert not re.search(rf"(?<!\d){code}(?!\d)", text)


OUT_OF_BOUNDS = [
    pb.RequestCodeRequest(),
    pb.RequestCodeRequest(email="x" * 255),
    pb.VerifyCodeRequest(email=EMAIL, code="1" * 17),
    pb.VerifyCodeRequest(email=EMAIL, code="123456", tenant_id="x"),
    pb.VerifyCodeRequest(email=EMAIL, code="123456", device="x" * 101),
    pb.RequestPasswordResetRequest(email=EMAIL, device_token="x" * 513),
    pb.ResetPasswordRequest(email=EMAIL, code="123456", new_password="x" * 1025),
]


async def test_a_field_out_of_bounds_is_refused_before_anything_is_counted(stack):
    with statements(stack) as seen:
        for request in OUT_OF_BOUNDS:
            method = getattr(AuthServiceStub(stack.channel), type(request).__name__.removesuffix("Request"))
            assert await refused(method(request)) == ("INVALID_ARGUMENT", "INVALID_FIELD"), request
    assert seen == []


async def test_what_is_no_code_is_wrong_like_any_other(stack):
    await verify(stack, await sign_up(stack))
    for code in ("", " ", "12345", "1234567", "١٢٣٤٥٦", "12 345", "abcdef", "\N{NULL}23456"):
        request = pb.VerifyCodeRequest(email=EMAIL, code=code)
        found = await refused(AuthServiceStub(stack.channel).VerifyCode(request))
        assert found == ("INVALID_ARGUMENT", "INVALID_CODE" if code else "INVALID_FIELD"), code
