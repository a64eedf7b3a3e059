import asyncio
import base64
import json
import time
from contextvars import ContextVar
from datetime import datetime
from types import SimpleNamespace

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from servicekit.errors import AppError, DependencyUnavailable
from servicekit.identity import Role
from servicekit.tokens import (
    REFRESH_SECONDS,
    RemoteJwks,
    StaticKeys,
    TokenExpired,
    TokenInvalid,
    TokenVerifier,
    parse_jwks,
)

NOW = int(time.time())


def encode(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


@pytest.fixture
def key():
    return Ed25519PrivateKey.generate()


CLAIMS = {
    "iss": "docuchat", "aud": "docuchat", "sub": "u", "tid": "t", "role": "MEMBER", "sid": "s",
    "iat": NOW, "nbf": NOW, "exp": NOW + 3600, "jti": "j",
}  # fmt: skip


def sign(key, claims=None, header=None, algorithm="EdDSA"):
    return jwt.encode(
        {**CLAIMS, **(claims or {})}, key, algorithm=algorithm, headers={"typ": "at+jwt", "kid": "k", **(header or {})}
    )


async def test_a_good_token_names_its_owner(key):
    principal = await TokenVerifier(StaticKeys({"k": key.public_key()})).verify(sign(key))
    assert (principal.subject, principal.tenant_id, principal.role) == ("u", "t", Role.MEMBER)
    assert "eyJ" not in repr(principal)


@pytest.mark.parametrize(
    ("claims", "header"),
    [
        ({"iss": "someone"}, {}),
        ({"aud": "someone"}, {}),
        ({"nbf": NOW + 3600}, {}),
        ({"iat": NOW + 3600}, {}),
        ({"exp": 2**62}, {}),
        ({"exp": NOW + 3600.5}, {}),
        ({"exp": "soon"}, {}),
        ({"role": "GOD"}, {}),
        ({"tid": None, "sub": 5}, {}),
        ({}, {"typ": "JWT"}),
        ({}, {"kid": "other"}),
        ({}, {"jwk": {"kty": "OKP"}}),
        ({}, {"jku": "https://evil.example"}),
        ({}, {"x5u": "https://evil.example"}),
        ({}, {"crit": ["b64"], "b64": True}),
    ],
)
async def test_a_token_that_bends_a_rule_is_refused(key, claims, header):
    with pytest.raises(TokenInvalid):
        await TokenVerifier(StaticKeys({"k": key.public_key()})).verify(sign(key, claims, header))


@pytest.mark.parametrize("exp", [NOW - 3600, -5], ids=["an hour ago", "before 1970"])
async def test_an_old_token_is_told_to_be_expired(key, exp):
    with pytest.raises(TokenExpired):
        await TokenVerifier(StaticKeys({"k": key.public_key()})).verify(sign(key, {"exp": exp}))


async def test_a_minute_of_clock_difference_is_forgiven(key):
    await TokenVerifier(StaticKeys({"k": key.public_key()})).verify(sign(key, {"exp": int(time.time()) - 30}))


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "tid", "role", "iat", "nbf", "exp", "jti"])
async def test_a_token_without_a_claim_is_refused(key, claim):
    claims = {name: value for name, value in CLAIMS.items() if name != claim}
    token = jwt.encode(claims, key, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": "k"})
    with pytest.raises(TokenInvalid):
        await TokenVerifier(StaticKeys({"k": key.public_key()})).verify(token)


async def test_other_algorithms_are_refused(key):
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    verifier = TokenVerifier(StaticKeys({"k": key.public_key()}))
    unsigned = f"{encode({'alg': 'none', 'typ': 'at+jwt', 'kid': 'k'})}.{encode(CLAIMS)}."
    forged = [
        unsigned,
        sign(public, algorithm="HS256"),
        sign(Ed25519PrivateKey.generate()),
        "a.b.c",
        "",
        "x" * 65536,
        sign(key)[:-4],
        "ü.ü.ü",
    ]
    for token in forged:
        with pytest.raises(TokenInvalid):
            await verifier.verify(token)


def jwks(key, kid="k"):
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    x = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return json.dumps(
        {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid}, {"kty": "RSA", "kid": "r"}]}
    ).encode()


def test_a_key_set_gives_its_ed25519_keys(key):
    assert list(parse_jwks(jwks(key))) == ["k"]


async def test_unknown_key_ids_cause_one_fetch_in_thirty_seconds(key):
    fetched, now = [], [0.0]

    async def fetch():
        fetched.append(now[0])
        return jwks(key)

    keys = RemoteJwks(fetch, clock=lambda: now[0])
    for _ in range(50):
        assert await keys.find("unknown") is None
    assert await keys.find("k")
    now[0] = 31
    await keys.find("unknown")
    assert fetched == [0.0, 31]


async def test_old_keys_serve_on_while_the_issuer_is_down(key):
    now, up = [0.0], [True]

    async def fetch():
        if not up[0]:
            raise DependencyUnavailable("auth")
        return jwks(key)

    keys = RemoteJwks(fetch, clock=lambda: now[0])
    assert await keys.find("k")
    now[0], up[0] = 10_000, False
    assert await keys.find("k")


async def test_a_slow_issuer_is_asked_once_for_all_and_keeps_nobody_who_has_the_key_waiting(key):
    now, asked, begun, answer = [0.0], [], asyncio.Event(), asyncio.Event()

    async def fetch():
        asked.append(now[0])
        begun.set()
        await answer.wait()
        return jwks(key)

    keys = RemoteJwks(fetch, clock=lambda: now[0])
    waiting = [asyncio.create_task(keys.find("k")) for _ in range(100)]
    await begun.wait()
    waiting[0].cancel()
    answer.set()
    found = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 1)
    assert len([each for each in found if isinstance(each, Ed25519PublicKey)]) == 99
    now[0] = 10_000
    answer.clear()
    assert all([await asyncio.wait_for(keys.find("k"), 0.1) for _ in range(100)])
    await asyncio.sleep(0)
    assert asked == [0.0, 10_000]
    answer.set()


async def test_an_issuer_that_hangs_fails_all_who_wait_together(key):
    async def fetch():
        await asyncio.sleep(0.1)
        raise DependencyUnavailable("auth")

    keys, started = RemoteJwks(fetch), time.monotonic()
    found = await asyncio.gather(*(keys.find("k") for _ in range(100)), return_exceptions=True)
    assert {type(each) for each in found} == {DependencyUnavailable}
    assert time.monotonic() - started < 5


async def test_a_call_with_no_time_left_does_not_shorten_the_fetch_for_others(key):
    seen = []

    async def fetch():
        seen.append(short.get())
        return jwks(key)

    short = ContextVar("short", default=False)
    keys = RemoteJwks(fetch)
    short.set(True)
    assert await keys.find("k")
    assert seen == [False]


class Ended:
    def __init__(self, session_ids):
        self.session_ids = session_ids

    async def includes(self, session_id):
        if self.session_ids is None:
            raise DependencyUnavailable("auth")
        return session_id in self.session_ids


async def test_while_ended_sessions_are_unknown_people_cannot_be_judged_and_services_can(key):
    verifier = TokenVerifier(StaticKeys({"k": key.public_key()}), revoked=Ended(None))
    with pytest.raises(DependencyUnavailable):
        await verifier.verify(sign(key))
    assert (await verifier.verify(sign(key, {"role": "SERVICE", "tid": "", "sid": ""}))).is_service


@pytest.mark.parametrize("claim", ["sub", "tid", "sid"])
async def test_a_token_with_the_real_key_and_an_empty_claim_is_refused(key, claim):
    with pytest.raises(TokenInvalid):
        await TokenVerifier(StaticKeys({"k": key.public_key()})).verify(sign(key, {claim: ""}))


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
FORMS = {
    "padding": lambda token: token + "==",
    "one padding sign": lambda token: token + "=",
    "a foreign character": lambda token: token[:-10] + "!" + token[-10:],
    "a line break": lambda token: token + "\n",
    # The last of 86 characters carries 4 bits that mean nothing.
    "spare bits": lambda token: token[:-1] + ALPHABET[ALPHABET.index(token[-1]) + 1],
    "padding inside": lambda token: token.replace(".", "=.", 1),
}


@pytest.mark.parametrize("change", FORMS.values(), ids=FORMS)
async def test_a_token_has_one_form_only(key, change):
    verifier = TokenVerifier(StaticKeys({"k": key.public_key()}))
    await verifier.verify(sign(key))
    with pytest.raises(TokenInvalid):
        await verifier.verify(change(sign(key)))


async def test_a_token_of_an_ended_session_is_refused(key):
    verifier = TokenVerifier(StaticKeys({"k": key.public_key()}), revoked=Ended({"gone"}))
    assert await verifier.verify(sign(key, {"sid": "here"}))
    with pytest.raises(TokenInvalid):
        await verifier.verify(sign(key, {"sid": "gone"}))


async def test_without_any_keys_the_issuers_absence_is_told():
    async def fetch():
        raise DependencyUnavailable("auth")

    with pytest.raises(AppError) as caught:
        await RemoteJwks(fetch).find("k")
    assert caught.value.reason == "DEPENDENCY_UNAVAILABLE"


class Verifying:
    """A verifier of `key` that counts the signatures it checks."""

    def __init__(self, key, monkeypatch, **options):
        self.checked = 0
        self.keys = {"k": key.public_key()}
        self.verifier = TokenVerifier(self, **options)
        real = jwt.decode

        def decode(*args, **kwargs):
            self.checked += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(jwt, "decode", decode)

    async def find(self, kid):
        return self.keys.get(kid)


async def test_a_token_is_verified_once_for_many_calls(key, monkeypatch):
    made, token = Verifying(key, monkeypatch), sign(key)
    found = [await made.verifier.verify(token) for _ in range(5)]
    assert made.checked == 1
    assert found == found[:1] * 5


async def test_a_remembered_token_ends_when_it_says(key, monkeypatch):
    began = int(time.time())
    now = [float(began)]
    made, token = Verifying(key, monkeypatch, clock=lambda: now[0]), sign(key, {"exp": began - 30})
    await made.verifier.verify(token)
    now[0] = began + 29.0
    await made.verifier.verify(token)
    assert made.checked == 1
    now[0] = began + 30.0
    monkeypatch.setattr("jwt.api_jwt.datetime", SimpleNamespace(now=lambda tz: datetime.fromtimestamp(now[0], tz)))
    with pytest.raises(TokenExpired):
        await made.verifier.verify(token)


async def test_a_remembered_token_is_refused_once_its_key_is_withdrawn_or_another_has_its_name(key, monkeypatch):
    made, token = Verifying(key, monkeypatch), sign(key)
    for keys in ({}, {"k": Ed25519PrivateKey.generate().public_key()}):
        made.keys = {"k": key.public_key()}
        await made.verifier.verify(token)
        made.keys = keys
        with pytest.raises(TokenInvalid):
            await made.verifier.verify(token)


async def test_a_remembered_token_is_refused_once_its_session_has_ended(key, monkeypatch):
    ended = set()

    class Revoked:
        async def includes(self, session_id):
            return session_id in ended

    made, token = Verifying(key, monkeypatch, revoked=Revoked()), sign(key)
    await made.verifier.verify(token)
    ended.add("s")
    with pytest.raises(TokenInvalid):
        await made.verifier.verify(token)
    assert made.checked == 1


async def test_a_refused_token_is_not_remembered_and_the_used_ones_stay(key, monkeypatch):
    monkeypatch.setattr("servicekit.tokens.MAX_REMEMBERED", 3)
    made = Verifying(key, monkeypatch)
    used, others = sign(key), [sign(key, {"jti": str(number)}) for number in range(6)]
    for token in others:
        await made.verifier.verify(used)
        await made.verifier.verify(token)
        with pytest.raises(TokenInvalid):
            await made.verifier.verify(token + "A")
    assert len(made.verifier._remembered) == 3
    made.checked = 0
    await made.verifier.verify(used)
    assert made.checked == 0
    await made.verifier.verify(others[0])
    assert made.checked == 1


async def test_a_key_set_that_is_fetched_again_ends_what_it_no_longer_holds(key):
    now, sets = [0.0], [jwks(key), jwks(Ed25519PrivateKey.generate(), "other")]

    async def fetch():
        return sets.pop(0)

    verifier, token = TokenVerifier(RemoteJwks(fetch, clock=lambda: now[0])), sign(key)
    await verifier.verify(token)
    now[0] = REFRESH_SECONDS + 1.0
    # The call that finds the set old goes on with it; the fetch that it causes decides about the next.
    await verifier.verify(token)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(TokenInvalid):
        await verifier.verify(token)
