import base64
import json
import time
from email import message_from_bytes, policy
from uuid import uuid4

from tests.accounts import PASSWORD, Account, sign_up
from tests.http_client import HttpClient


def log_in(stack, account, password=PASSWORD):
    return stack.http.post("/v1/auth/login", email=account.email, password=password)


def test_health_says_serving_and_status_names_every_service(stack):
    assert stack.http.get("/health").json == {"status": "SERVING"}
    components = stack.http.get("/status").json["components"]
    assert {"auth", "ingestion", "retrieval", "chat"} <= {row["service"] for row in components}
    assert {row["state"] for row in components} == {"SERVING"}
    assert not any(row["version"] for row in components), "versions are for staff"


def test_signing_up_makes_a_user_a_tenant_and_a_session(stack):
    email = f"Ada-{uuid4().hex}@Example.org"
    reply = stack.http.post("/v1/auth/sign-up", email=email, password=PASSWORD, display_name="Ada", tenant_name="Lumen")
    answer = reply.json
    assert reply.status == 200
    assert answer["user"]["email"] == email.lower()
    assert answer["tenant"]["slug"]
    assert answer["tokens"]["expires_in_seconds"] == 900
    me = HttpClient(stack.port, answer["tokens"]["access_token"]).get("/v1/me").json
    assert me["user"]["user_id"] == answer["user"]["user_id"]
    assert me["tenant_id"] == answer["tenant"]["tenant_id"]
    assert [row["role"] for row in me["memberships"]] == ["OWNER"]


def test_the_access_token_is_signed_by_a_published_key(stack, user):
    head = user.token.split(".")[0]
    header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    keys = stack.http.get("/.well-known/jwks.json").json["keys"]
    assert header["alg"] == "EdDSA"
    assert header["kid"] in {key["kid"] for key in keys}
    assert not any("d" in key for key in keys)


def test_signing_up_with_an_address_that_is_there_answers_like_any_other_and_is_another_account(stack, user):
    reply = stack.http.post("/v1/auth/sign-up", email=user.email.upper(), password=PASSWORD[::-1])
    assert reply.status == 200
    assert reply.json["user"]["user_id"] != user.user_id
    assert log_in(stack, user).status == 200


def wait_for_code(stack, email, count=1):
    """Returns the code of the last mail to an address, once there are so many."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        paths = sorted((stack.home / "mail").glob("*.eml"))
        mails = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths]
        bodies = [mail.get_content() for mail in mails if mail["to"] == email]
        if len(bodies) == count:
            return next(line for line in bodies[-1].splitlines() if line.isdigit())
        time.sleep(0.1)
    raise AssertionError(f"no mail to {email}")


def test_a_code_that_was_mailed_verifies_the_address(stack):
    account = sign_up(stack)
    assert account.http.post("/v1/me:verify-email", code="000000").reason == "INVALID_CODE"
    reply = account.http.post("/v1/me:verify-email", code=wait_for_code(stack, account.email))
    assert reply.json["user"]["is_email_verified"] is True
    assert account.http.post("/v1/me:request-email-verification").reason == "EMAIL_ALREADY_VERIFIED"


def test_sessions_are_listed_with_where_they_come_from_and_ended_one_by_one(stack):
    account = sign_up(stack)
    other = HttpClient(stack.port, log_in(stack, account).json["tokens"]["access_token"])
    sessions = account.http.get("/v1/me/sessions").json["sessions"]
    assert [row["address"] for row in sessions] == ["127.0.0.1"] * 2
    (theirs,) = [row["session_id"] for row in sessions if not row["is_current"]]
    assert account.http.delete(f"/v1/me/sessions/{theirs}").status == 200
    assert account.http.delete(f"/v1/me/sessions/{theirs}").reason == "SESSION_NOT_FOUND"
    end = time.monotonic() + 5
    while other.get("/v1/me").status == 200:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert account.http.get("/v1/me").status == 200
    assert account.http.post("/v1/me/sessions:revoke-all", keep_current=True).json == {"revoked": 0}


def test_a_password_is_reset_and_somebody_logs_in_with_codes_that_were_mailed(stack):
    account = sign_up(stack)
    wait_for_code(stack, account.email)
    codes = {}
    for use in ("request-password-reset", "request-code"):
        assert stack.http.post(f"/v1/auth/{use}", email=account.email).json == {}
        codes[use] = wait_for_code(stack, account.email, len(codes) + 2)
    new = {"code": codes["request-password-reset"], "new_password": PASSWORD[::-1]}
    assert stack.http.post("/v1/auth/reset-password", email=account.email, **new).status == 200
    assert log_in(stack, account).reason == "INVALID_CREDENTIALS"
    assert log_in(stack, account, PASSWORD[::-1]).status == 200
    reply = stack.http.post("/v1/auth/verify-code", email=account.email, code=codes["request-code"])
    tokens = reply.json["tokens"]
    assert HttpClient(stack.port, tokens["access_token"]).get("/v1/me").json["user"]["user_id"] == account.user_id
    assert tokens["device_token"]


def test_a_header_that_speaks_for_the_gateway_does_not_make_another_client_of_a_caller(stack):
    account = sign_up(stack)
    headers = {"x-envoy-external-address": "203.0.113.9", "x-forwarded-for": "203.0.113.9"}
    body = json.dumps({"email": account.email, "password": PASSWORD}).encode()
    stack.http.send("POST", "/v1/auth/login", body, {"content-type": "application/json", **headers})
    assert {row["address"] for row in account.http.get("/v1/me/sessions").json["sessions"]} == {"127.0.0.1"}


def test_a_short_password_is_refused(stack):
    reply = stack.http.post("/v1/auth/sign-up", email=f"{uuid4().hex}@example.org", password="short")
    assert (reply.status, reply.reason) == (400, "WEAK_PASSWORD")


def test_logging_in_starts_another_session(stack, user):
    reply = log_in(stack, user)
    assert reply.status == 200
    other = HttpClient(stack.port, reply.json["tokens"]["access_token"])
    assert other.get("/v1/me").json["user"]["user_id"] == user.user_id


def test_an_unknown_address_and_a_wrong_password_look_alike(stack, user):
    wrong = log_in(stack, user, "not the password of anyone")
    unknown = stack.http.post("/v1/auth/login", email=f"{uuid4().hex}@example.org", password=PASSWORD)
    assert (wrong.status, wrong.reason) == (401, "INVALID_CREDENTIALS")
    assert without_request_id(wrong.json) == without_request_id(unknown.json)


def without_request_id(error):
    for detail in error["details"]:
        detail.get("metadata", {}).pop("request_id", None)
    return error


def refresh(stack, token):
    return stack.http.post("/v1/auth/refresh", refresh_token=token)


def test_refreshing_gives_new_tokens_that_work(stack, user):
    reply = refresh(stack, user.refresh_token)
    tokens = reply.json["tokens"]
    assert reply.status == 200
    assert tokens["refresh_token"] != user.refresh_token
    assert HttpClient(stack.port, tokens["access_token"]).get("/v1/me").status == 200


def test_logging_out_ends_the_session(stack):
    account: Account = sign_up(stack)
    assert stack.http.post("/v1/auth/logout", refresh_token=account.refresh_token).status == 200
    reply = refresh(stack, account.refresh_token)
    assert (reply.status, reply.reason) == (401, "INVALID_REFRESH_TOKEN")
