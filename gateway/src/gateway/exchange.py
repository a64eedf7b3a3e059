"""Asking auth about requests that show an API key, select a tenant or name an end user; about no others."""

from importlib import resources

from gateway.clusters import Node, typed
from gateway.config import GatewayConfig

EXCHANGE_FILTER = "docuchat.exchange"
EXT_AUTHZ = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz"
MATCHERS = "envoy.extensions.common.matching.v3.ExtensionWithMatcher"
SKIP = "envoy.extensions.filters.common.matcher.action.v3.SkipFilter"
API_KEY = "(?i)bearer +dck_.*"
TIMEOUT_SECONDS = 3


def build_exchange(config: GatewayConfig) -> Node:
    """Returns the filter that puts an access token in the place of what was shown, or answers what auth answers.

    While auth does not answer, such requests are refused.
    """
    shown = [
        _header_is("authorization", API_KEY),
        _header_is(config.tenant_header, ".*"),
        _header_is(config.on_behalf_of_header, ".*"),
    ]
    nothing = {"not_matcher": {"or_matcher": {"predicate": shown}}}
    skip = {"action": {"name": "skip", "typed_config": typed(SKIP)}}
    return typed(
        MATCHERS,
        extension_config={"name": "envoy.filters.http.ext_authz", "typed_config": _ext_authz(config)},
        xds_matcher={"matcher_list": {"matchers": [{"predicate": nothing, "on_match": skip}]}},
    )


def _ext_authz(config: GatewayConfig) -> Node:
    told = ("authorization", config.tenant_header, config.on_behalf_of_header, "content-type", "x-request-id")
    return typed(
        EXT_AUTHZ,
        transport_api_version="V3",
        grpc_service={"envoy_grpc": {"cluster_name": "auth"}, "timeout": f"{TIMEOUT_SECONDS}s"},
        status_on_error={"code": "ServiceUnavailable"},
        # Header by header as they came, so that what came twice is there twice.
        encode_raw_headers=True,
        allowed_headers={"patterns": [{"exact": name} for name in told]},
    )


def _header_is(name: str, pattern: str) -> Node:
    """Returns the predicate that a header is there and fits a regular expression as a whole."""
    return {
        "single_predicate": {
            "input": {
                "name": name,
                "typed_config": typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=name),
            },
            "value_match": {"safe_regex": {"google_re2": {}, "regex": pattern}},
        }
    }


def build_recall_script(config: GatewayConfig) -> str:
    """Returns the Lua source that remembers, with the headers' names."""
    names = f'local TENANT, END_USER = "{config.tenant_header}", "{config.on_behalf_of_header}"\n'
    return names + resources.files("gateway").joinpath("recall.lua").read_text()


def exchanged() -> Node:
    """Returns the per-route configuration of routes that need a token."""
    return {EXCHANGE_FILTER: typed("envoy.config.route.v3.FilterConfig", config={})}
