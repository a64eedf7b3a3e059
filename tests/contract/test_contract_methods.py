import re

import pytest

from docuchat.common.v1 import access_pb2

# Open to callers without a token and still not for the outside: name -> why it has no HTTP path.
INTERNAL = {
    "docuchat.auth.v1.AuthService.IssueServiceToken": "its caller is a service, and the secret is the authentication",
    "docuchat.auth.v1.ExtAuthzService.Check": "its caller is the gateway, and what it shows is the authentication",
}
FOR_PEOPLE = {access_pb2.ACCESS_PUBLIC, access_pb2.ACCESS_USER, access_pb2.ACCESS_TENANT_ADMIN, access_pb2.ACCESS_STAFF}
CODES = {"INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "UNAUTHENTICATED"} | {
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "INTERNAL",
}
AUTH, CHAT, RETRIEVAL = "docuchat.auth.v1", "docuchat.chat.v1", "docuchat.retrieval.v1"
ENGINE_METHODS = ("PrepareCollection", "UpsertPoints", "MatchPoints", "GetPoints", "CountPoints", "DeletePoints")
ENGINE_METHODS += ("FlushCollection", "KeepCollections", "GetInfo")
METERS = {"ingestion", "retrieval", "chat"}
BETWEEN_SERVICES = {
    f"{AUTH}.AuthService.WatchRevocations": {"ingestion", "retrieval", "chat"},
    "docuchat.common.v1.ErasureService.EraseUser": {"auth"},
    "docuchat.common.v1.ErasureService.EraseTenant": {"auth"},
    **{f"{AUTH}.UsageService.{name}": METERS for name in ("ReserveUsage", "CommitUsage", "GetLimits")},
    f"{CHAT}.SourceService.EraseQuotes": {"ingestion"},
    f"{RETRIEVAL}.IndexService.IndexChunks": {"ingestion"},
    f"{RETRIEVAL}.IndexService.ActivateVersion": {"ingestion"},
    f"{RETRIEVAL}.IndexService.HideDocument": {"ingestion"},
    f"{RETRIEVAL}.IndexService.DeleteDocument": {"ingestion"},
    f"{RETRIEVAL}.IndexService.CheckVersions": {"ingestion"},
    **{f"{RETRIEVAL}.EngineService.{name}": {"retrieval"} for name in ENGINE_METHODS},
}
PATHS = """
/health /status /.well-known/jwks.json /v1/me /v1/search /v1/ask /v1/collections /v1/conversations
/v1/auth/sign-up /v1/auth/login /v1/auth/refresh /v1/auth/logout /v1/auth/request-code /v1/auth/verify-code
/v1/auth/request-password-reset /v1/auth/reset-password /v1/me:request-email-verification /v1/me:verify-email
/v1/me:change-password /v1/me/sessions /v1/me/sessions/{session_id} /v1/me/sessions:revoke-all
/v1/api-keys /v1/api-keys/{api_key_id} /v1/api-keys/{api_key_id}:rotate
/v1/auth/sign-up /v1/auth/login /v1/auth/refresh /v1/auth/logout
/v1/documents /v1/documents:from-text /v1/documents/{document_id} /v1/documents/{document_id}/text
/v1/documents/{document_id}/content /v1/documents/{document_id}/chunks
/v1/me:erase /v1/erasures/{erasure_id} /v1/tenants /v1/tenants/{tenant_id} /v1/tenants/{tenant_id}:select
/v1/tenants/{tenant_id}/members /v1/tenants/{tenant_id}/invitations /v1/invitations:accept
/v1/tenants/{tenant_id}/audit-events /v1/admin/tenants /v1/admin/users/{user_id}:deactivate
"""


def test_there_is_something_to_check(methods):
    assert {"docuchat.chat.v1.ChatService.Ask", "docuchat.retrieval.v1.IndexService.IndexChunks"} <= {
        method.name for method in methods
    }


def test_every_method_says_who_may_call_it(methods):
    assert [method.name for method in methods if method.access == access_pb2.ACCESS_UNSPECIFIED] == []


def test_every_method_for_people_of_a_tenant_says_which_scopes_open_it_to_api_keys_or_that_none_does(methods):
    of_tenants = {access_pb2.ACCESS_USER, access_pb2.ACCESS_TENANT_ADMIN}
    said = {method: bool(method.scopes) + method.is_session_only for method in methods}
    assert [method.name for method in methods if said[method] != (method.access in of_tenants)] == []


def test_every_method_for_people_has_an_http_path_or_a_reason(methods):
    without = {method.name for method in methods if method.access in FOR_PEOPLE and not method.http}
    assert without == set(INTERNAL)


def test_every_method_between_services_names_the_services_that_may_call_it_and_no_other_method_does(methods):
    between = {method.name: set(method.callers) for method in methods if method.access == access_pb2.ACCESS_SERVICE}
    assert between == BETWEEN_SERVICES
    assert {method.name for method in methods if method.callers} == set(between)


def test_no_method_between_services_has_an_http_path(methods):
    assert [method.name for method in methods if method.access == access_pb2.ACCESS_SERVICE and method.http] == []


def test_no_two_methods_share_a_verb_and_path(methods):
    rules = [(method.http.WhichOneof("pattern"), method.http) for method in methods if method.http]
    paths = [(verb, re.sub(r"\{[^}]+\}", "{}", getattr(rule, verb))) for verb, rule in rules]
    assert sorted(set(paths)) == sorted(paths)


def test_every_path_variable_is_a_field_of_the_request(methods):
    for method in (method for method in methods if method.http):
        path = getattr(method.http, method.http.WhichOneof("pattern"))
        variables = set(re.findall(r"\{([a-z_]+)", path))
        assert variables <= set(method.descriptor.input_type.fields_by_name), method.name


@pytest.mark.parametrize("path", PATHS.split())
def test_the_paths_that_clients_rely_on_exist(methods, path):
    rules = [method.http for method in methods if method.http]
    assert path in {getattr(rule, rule.WhichOneof("pattern")) for rule in rules}


def test_every_method_lists_its_errors(methods):
    assert [method.name for method in methods if not lists_errors(method.comment)] == []


def lists_errors(comment):
    """Whether a comment names its errors, as code and reason, or says that there are none."""
    _, found, listed = comment.partition("Errors include:")
    return bool(found) and (
        "none of its own" in listed or re.search(rf"- ({'|'.join(sorted(CODES))})\b", listed) is not None
    )


def test_every_reason_a_comment_names_exists(methods, own_files):
    known = {value.name for file in own_files for enum in file.enum_type for value in enum.value}
    for method in methods:
        _, _, listed = method.comment.partition("Errors include:")
        heads = [line.split(":")[0] for line in listed.splitlines() if line.strip().startswith("- ")]
        named = {word for head in heads for word in re.findall(r"\b[A-Z][A-Z_]+\b", head)}
        assert named - CODES - known == set(), method.name
