import asyncio
import base64
import hashlib
import json
import os
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from auth.errors.accounts import HasherBusy
from auth.security.keyring import KeyRing
from auth.security.keys import KeyFileError, load_published_key, load_signing_key, name_key, write_jwks
from auth.security.passwords import Argon2PasswordHasher
from auth.security.service_secrets import ConfiguredServiceSecrets
from auth.security.tokens import Ed25519TokenSigner
from auth.server import CLOCK
from servicekit.identity import Role
from servicekit.tokens import StaticKeys, TokenVerifier, parse_jwks

# RFC 8037, appendix A: a key and its thumbprint.
RFC_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
TENANT = "6b8c3e1e-0000-4000-8000-000000000001"


@pytest.fixture
def hasher():
    made = Argon2PasswordHasher(memory_kib=19_456, passes=2, threads=2, queue=4)
    yield made
    made.close()


async def test_a_hash_is_argon2id_of_at_least_19_mib_and_two_passes(hasher):
    first, second = await hasher.hash("a password"), await hasher.hash("a password")
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second


async def test_a_hash_belongs_to_its_password_only(hasher):
    password_hash = await hasher.hash("a password")
    assert await hasher.verify(password_hash, "a password")
    assert not await hasher.verify(password_hash, "another")


async def test_nobody_has_no_password_and_is_hashed_all_the_same(hasher, monkeypatch):
    verified = []
    monkeypatch.setattr(hasher, "_matches", lambda *args: verified.append(args) or True)
    assert not await hasher.verify(None, "a password")
    assert verified[0][0].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_hashes_of_other_strength_are_outdated(hasher):
    stronger = Argon2PasswordHasher(memory_kib=19_456, passes=3, threads=1, queue=1)
    assert stronger.is_outdated(await hasher.hash("a password"))
    assert not hasher.is_outdated(await hasher.hash("a password"))
    stronger.close()


async def test_no_more_hashes_run_than_threads_and_none_waits_beyond_the_queue(hasher, monkeypatch):
    running, most = 0, 0

    def work(_hash, _password):
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.05)
        running -= 1
        return True

    monkeypatch.setattr(hasher, "_matches", work)
    results = await asyncio.gather(*(hasher.verify("hash", "p") for _ in range(6)), return_exceptions=True)
    assert most == 2
    assert [result for result in results if result is True] == [True] * 4
    assert [type(result) for result in results if result is not True] == [HasherBusy] * 2
    assert await hasher.verify("hash", "p")


async def test_the_event_loop_goes_on_while_passwords_are_hashed(hasher):
    hashing = asyncio.gather(*(hasher.hash("a password") for _ in range(4)))
    ticks = 0
    while not hashing.done():
        await asyncio.sleep(0)
        ticks += 1
    await hashing
    assert ticks > 10


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives a thread a priority of its own")
async def test_hashes_let_everything_else_go_first(hasher):
    def read_niceness():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = read_niceness()
    assert await hasher.run(read_niceness) == 10
    assert read_niceness() == before


def rfc_key():
    return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(RFC_X + "="))


def test_a_key_is_named_by_its_thumbprint():
    assert name_key(rfc_key()) == RFC_THUMBPRINT


def test_the_jwk_set_holds_public_members_only():
    assert json.loads(write_jwks([rfc_key()])) == {
        "keys": [
            {"kty": "OKP", "crv": "Ed25519", "x": RFC_X, "kid": RFC_THUMBPRINT, "use": "sig", "alg": "EdDSA"},
        ]
    }


def sign(signer, **changes):
    now = datetime.now(UTC)
    claims = {"subject": "user", "tenant_id": TENANT, "session_id": "session", "role": Role.ADMIN, "now": now}
    return signer.sign(**{**claims, "expire_time": now + timedelta(minutes=15), **changes})


@pytest.fixture
def signer(key_file):
    return Ed25519TokenSigner(KeyRing(key_file, [], CLOCK), issuer="docuchat", audience="docuchat")


async def test_every_service_can_verify_a_token_with_the_published_keys(signer):
    principal = await TokenVerifier(StaticKeys(parse_jwks(signer.publish()))).verify(sign(signer))
    assert (principal.subject, principal.tenant_id, principal.role) == ("user", TENANT, Role.ADMIN)
    assert principal.session_id == "session"


def test_a_token_says_what_the_contract_says(signer):
    token = sign(signer)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert jwt.get_unverified_header(token) == {
        "alg": "EdDSA",
        "typ": "at+jwt",
        "kid": next(iter(signer.ring.list_public())),
    }
    assert set(claims) == {"iss", "aud", "sub", "tid", "role", "sid", "iat", "nbf", "exp", "jti"}
    assert claims["exp"] - claims["iat"] == 900
    assert jwt.decode(sign(signer), options={"verify_signature": False})["jti"] != claims["jti"]


async def test_a_service_token_names_no_tenant(signer):
    token = sign(signer, subject="ingestion", role=Role.SERVICE, tenant_id="", session_id="")
    assert {"tid", "sid"}.isdisjoint(jwt.decode(token, options={"verify_signature": False}))
    assert (await TokenVerifier(signer.ring).verify(token)).is_service


def pem_of(key, encryption=None):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def test_a_signing_key_is_read_from_pem(tmp_path):
    key = Ed25519PrivateKey.generate()
    path = tmp_path / "key.pem"
    path.write_bytes(pem_of(key))
    assert load_signing_key(path).public_key() == load_published_key(path) == key.public_key()
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert load_published_key(path) == key.public_key()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read"),
        (b"", "no unencrypted private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no unencrypted private key"),
        (pem_of(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"secret")), "no unencrypted private key"),
        (pem_of(generate_ec_key(SECP256R1())), "another kind of key"),
    ],
)
def test_a_file_that_holds_no_ed25519_key_is_refused(tmp_path, content, why):
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(KeyFileError, match=why):
        load_signing_key(path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"nothing", "no key in PEM"),
        (
            generate_ec_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "another kind of key",
        ),
    ],
)
def test_a_file_that_holds_no_ed25519_public_key_is_not_published(tmp_path, content, why):
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match=why):
        load_published_key(path)


def test_service_secrets_match_their_service_only():
    known = ConfiguredServiceSecrets({"ingestion": "one secret", "chat": "other secret"})
    assert known.matches("ingestion", "one secret")
    assert not known.matches("ingestion", "other secret")
    assert not known.matches("nobody", "one secret")
    assert not known.matches("nobody", "")


def test_service_secrets_are_compared_as_digests_in_constant_time(monkeypatch):
    compared = []
    known = ConfiguredServiceSecrets({"ingestion": "one secret"})
    monkeypatch.setattr("hmac.compare_digest", lambda *pair: compared.append(pair) or False)
    known.matches("ingestion", "guess")
    known.matches("nobody", "guess")
    assert [given for _, given in compared] == [hashlib.sha256(b"guess").digest()] * 2
    assert compared[0][0] == hashlib.sha256(b"one secret").digest()
