"""What the claims of a verified token say about who calls."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from servicekit.identity import Principal, Role, Scope


def read_principal(token: str, claims: Mapping[str, Any]) -> Principal:
    """Returns the principal that verified claims describe. Raises KeyError or ValueError."""
    exp = claims["exp"]
    if type(exp) is not int or not 0 < exp < 2**40:
        raise ValueError("exp")
    role = Role(claims["role"])
    is_person = role is not Role.SERVICE
    return Principal(
        subject=read_text(claims, "sub"),
        tenant_id=read_text(claims, "tid") if is_person else "",
        role=role,
        session_id=read_text(claims, "sid") if is_person else "",
        expires_at=datetime.fromtimestamp(exp, tz=UTC),
        token=token,
        scopes=read_scopes(claims),
        api_key_id=read_text(claims, "key") if "key" in claims else "",
        requests_per_minute=read_limit(claims),
    )


def read_scopes(claims: Mapping[str, Any]) -> frozenset[Scope] | None:
    """Returns the scopes of an API key's token, None for a person's. Raises KeyError or ValueError."""
    # The one never comes without the other: a key without scopes must not pass for a person.
    if "scp" not in claims and "key" not in claims:
        return None
    match claims["scp"]:
        case list(found):
            return frozenset(Scope(scope) for scope in found)
    raise ValueError("scp")


def read_limit(claims: Mapping[str, Any]) -> int:
    """Returns the tenant's calls in a minute, 0 where nothing is said. Raises ValueError."""
    limit = claims.get("lim", 0)
    if type(limit) is not int or not 0 <= limit < 2**31:
        raise ValueError("lim")
    return limit


def read_text(claims: Mapping[str, Any], name: str) -> str:
    """Returns a claim that must be there and say something. Raises KeyError or ValueError."""
    value = claims[name]
    if not isinstance(value, str) or not value:
        raise ValueError(name)
    return value
