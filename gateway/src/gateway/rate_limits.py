"""How many calls a minute one user, one API key or one address may make at this gateway."""

from gateway.clusters import RATE_LIMIT_CLUSTER, Node, typed
from gateway.config import GatewayConfig, RateLimits
from gateway.descriptors import PublicMethod

RATE_LIMIT_FILTER = "docuchat.rate_limit"
SHARED_RATE_LIMIT = "envoy.extensions.filters.http.ratelimit.v3.RateLimit"
DOMAIN = "docuchat"
LOCAL_RATE_LIMIT = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
WHOLE = {"numerator": 100, "denominator": "HUNDRED"}
COUNTED = "docuchat.counted"
"""Where admit.lua writes down as what and of whom a call counts."""
# Buckets of about 1 KB. Beyond so many callers a minute the one who was silent longest begins afresh.
MOST_CALLERS = 20_000
AUTH_SERVICE = "docuchat.auth.v1.AuthService"
# What they take has 256 random bits: there is nothing to try.
NOT_GUESSABLE = frozenset({"Refresh", "Logout"})

# Of whom no token speaks, because there is none or its key is not known yet, the address counts.
BUCKETS = tuple(
    [(name, "caller") for name in ("changes", "reads", "api_key")]
    + [(name, "masked_remote_address") for name in ("changes", "reads", "logins")]
)


def classify(method: PublicMethod) -> str:
    """Returns the field of RateLimits that a call of the method counts against, if no API key makes it."""
    if method.needs_token:
        return "reads" if method.is_read else "changes"
    is_way_in = method.service == AUTH_SERVICE and not method.is_read and method.name not in NOT_GUESSABLE
    return "logins" if is_way_in else "reads"


def build_rate_limit(config: GatewayConfig) -> Node:
    """Returns the filter that counts: for this gateway alone, or by the service that several share."""
    if config.rate_limit_service is None:
        return _count_here(config.rate_limits)
    return typed(
        SHARED_RATE_LIMIT,
        domain=DOMAIN,
        # Who cannot be counted in time may call: an outage of the counters must not be one of everything.
        timeout="0.1s",
        failure_mode_deny=False,
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
        rate_limit_service={
            "transport_api_version": "V3",
            "grpc_service": {"envoy_grpc": {"cluster_name": RATE_LIMIT_CLUSTER}},
        },
        rate_limits=list_countings(),
    )


def _count_here(limits: RateLimits) -> Node:
    """Returns a token bucket for each caller and kind of call; a limit of 0 has none."""
    return typed(
        LOCAL_RATE_LIMIT,
        stat_prefix="rate_limit",
        filter_enabled={"default_value": WHOLE},
        filter_enforced={"default_value": WHOLE},
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
        max_dynamic_descriptors=MOST_CALLERS,
        always_consume_default_token_bucket=False,
        rate_limits=list_countings(),
        descriptors=[_bucket(name, whose, vars(limits)[name]) for name, whose in BUCKETS if vars(limits)[name]],
    )


def list_countings() -> list[Node]:
    """Returns what a call is counted by: the caller that its token names, or else where it comes from."""
    return [
        {"actions": [_counted("of_caller"), _counted("caller")]},
        # A home or a machine has a whole /64 of IPv6.
        {"actions": [_counted("of_address"), {"masked_remote_address": {"v6_prefix_mask_len": 64}}]},
    ]


def _counted(field: str) -> Node:
    key = "caller" if field == "caller" else "limit"
    return {"metadata": {"descriptor_key": key, "metadata_key": {"key": COUNTED, "path": [{"key": field}]}}}


def _bucket(limit: str, whose: str, calls: int) -> Node:
    return {
        "entries": [{"key": "limit", "value": limit}, {"key": whose}],
        "token_bucket": {"max_tokens": calls, "tokens_per_fill": calls, "fill_interval": "60s"},
    }
