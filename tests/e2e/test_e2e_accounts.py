import base64
import json
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


def test_an_address_can_sign_up_once(stack, user):
    reply = stack.http.post("/v1/auth/sign-up", email=user.email.upper(), password=PASSWORD)
    assert (reply.status, reply.reason) == (409, "EMAIL_TAKEN")


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
