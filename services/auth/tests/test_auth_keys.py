"""The signing keys of a folder, and what is derived from a secret beside them."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth.errors.accounts import RotationUnderWay
from auth.model.accounts import Client
from auth.model.codes import CodeUse
from auth.model.mail import Mail
from auth.security.codes import HmacCodeKeys, HmacDevices, HmacPasswordTags
from auth.security.derived import load_derivation
from auth.security.keyring import TOKENS_LIVE, KeyRing, write_next_key, write_private
from auth.security.keys import KeyFileError
from auth.security.seal import MailSeal
from auth.security.successors import HmacSuccessors
from auth.security.tokens import Ed25519TokenSigner
from servicekit.config import WrongSetting
from servicekit.identity import Role
from servicekit.tokens import StaticKeys, TokenVerifier, parse_jwks

LEAD = timedelta(minutes=5, seconds=30)


def make_signer(key_file, clock):
    return Ed25519TokenSigner(KeyRing(key_file, [], clock), issuer="docuchat", audience="docuchat")


def sign(signer, clock):
    end = clock() + timedelta(minutes=15)
    return signer.sign(
        subject="user", tenant_id="tenant", session_id="sid", role=Role.OWNER, now=clock(), expire_time=end
    )


def key_of(token):
    return jwt.get_unverified_header(token)["kid"]


async def verify(token, published, clock):
    """Verifies as a service does that has fetched these keys."""
    keys = StaticKeys(parse_jwks(published))
    return (await TokenVerifier(keys, clock=lambda: clock().timestamp()).verify(token)).subject


async def test_while_a_key_is_exchanged_no_token_is_refused_and_no_auth_is_restarted(key_file, clock):
    # PyJWT asks the real clock, and must not find a token of the future.
    clock.advance(minutes=-6)
    signer = make_signer(key_file, clock)
    before, fetched_before = sign(signer, clock), signer.publish()
    made = write_next_key(key_file, clock(), LEAD)
    signer.ring.read()
    fetched_between = signer.publish()
    assert key_of(sign(signer, clock)) == key_of(before)
    # Whoever fetched just before the next key was there fetches again before it signs.
    assert await verify(sign(signer, clock), fetched_before, clock) == "user"
    clock.advance(seconds=LEAD.total_seconds())
    after = sign(signer, clock)
    assert key_of(after) == made.key_id != key_of(before)
    for token in (before, after):
        assert await verify(token, fetched_between, clock) == "user"
        assert await verify(token, signer.publish(), clock) == "user"


async def test_a_key_is_published_until_the_last_token_of_it_has_ended(key_file, clock):
    signer = make_signer(key_file, clock)
    old = key_of(sign(signer, clock))
    write_next_key(key_file, clock(), LEAD)
    signer.ring.read()
    clock.advance(seconds=(LEAD + TOKENS_LIVE).total_seconds() - 2)
    assert old in parse_jwks(signer.publish())
    clock.advance(seconds=3)
    assert list(parse_jwks(signer.publish())) == [key_of(sign(signer, clock))]
    assert await signer.ring.find(old) is None


async def test_replicas_agree_whenever_they_started(key_file, clock):
    early = make_signer(key_file, clock)
    write_next_key(key_file, clock(), LEAD)
    early.ring.read()
    for _ in range(3):
        late = make_signer(key_file, clock)
        assert key_of(sign(late, clock)) == key_of(sign(early, clock))
        assert late.publish() == early.publish()
        clock.advance(minutes=40)


async def test_a_known_key_stays_the_same_object_so_that_verified_tokens_are_remembered(key_file, clock):
    ring = make_signer(key_file, clock).ring
    (kid, key), *_ = ring.list_public().items()
    ring.read()
    assert await ring.find(kid) is key


def test_a_second_exchange_waits_until_the_first_key_signs(key_file, clock):
    write_next_key(key_file, clock(), LEAD)
    with pytest.raises(RotationUnderWay, match="begins to sign in 3"):
        write_next_key(key_file, clock(), LEAD)
    clock.advance(seconds=LEAD.total_seconds())
    write_next_key(key_file, clock(), LEAD)
    assert len(list(key_file.parent.glob("*.pem"))) == 3


def test_keys_whose_tokens_have_ended_are_removed_with_the_next_exchange_but_for_the_first(key_file, clock):
    for _ in range(4):
        write_next_key(key_file, clock(), LEAD)
        clock.advance(hours=3)
    assert key_file.exists()
    # The one that signs, and the one that will.
    write_next_key(key_file, clock(), LEAD)
    assert len(list(key_file.parent.glob("signing.*.pem"))) == 2


@pytest.mark.parametrize("name", ["signing_key", "signing.key.pem"])
def test_a_key_file_may_have_any_name(tmp_path, clock, name):
    file = tmp_path / name
    write_private(file, Ed25519PrivateKey.generate())
    made = write_next_key(file, clock(), timedelta(0))
    (tmp_path / f"{name}.old").write_text("not a key")
    assert make_signer(file, clock).ring.find_signing().key_id == made.key_id


def test_a_new_key_is_for_its_owners_eyes_and_leaves_no_draft(key_file, clock):
    write_next_key(key_file, clock(), LEAD)
    made = set(key_file.parent.iterdir()) - {key_file}
    assert [oct(path.stat().st_mode & 0o777) for path in made] == ["0o600"]


async def test_a_file_that_cannot_be_read_changes_nothing(key_file, clock):
    signer = make_signer(key_file, clock)
    key_file.with_name("signing.20200101T000000Z.pem").write_bytes(b"half a")
    await signer.ring._look()
    assert sign(signer, clock)


def test_a_folder_without_a_key_that_signs_is_refused(tmp_path, clock):
    with pytest.raises(KeyFileError, match="cannot be read"):
        KeyRing(tmp_path / "signing.pem", [], clock)
    write_private(tmp_path / "signing.29990101T000000Z.pem", Ed25519PrivateKey.generate())
    with pytest.raises(KeyFileError, match="no other key beside it signs yet"):
        KeyRing(tmp_path / "signing.pem", [], clock)


def test_the_first_key_may_be_removed_once_another_signs(key_file, clock):
    made = write_next_key(key_file, clock(), timedelta(0))
    key_file.unlink()
    assert list(KeyRing(key_file, [], clock).list_public()) == [made.key_id]


SECRETS = {
    "successor": lambda derive: HmacSuccessors(derive).derive("token"),
    "code": lambda derive: HmacCodeKeys(derive).hash(CodeUse.LOG_IN, "ann@example.com", "123456"),
    "tag": lambda derive: [HmacPasswordTags(derive).tag(f"{n}@example.com", "password") for n in range(9)],
}


def derive_with(tmp_path, key_file, secret=b"0" * 64):
    (tmp_path / "secret").write_bytes(secret)
    return load_derivation(tmp_path / "secret", key_file)


@pytest.mark.parametrize("kind", ["successor", "code", "tag"])
def test_what_is_derived_outlives_the_signing_keys_and_differs_by_secret(tmp_path, key_file, clock, kind):
    compute = SECRETS[kind]
    before = compute(derive_with(tmp_path, key_file))
    write_next_key(key_file, clock(), LEAD)
    write_private(key_file, Ed25519PrivateKey.generate())
    assert compute(derive_with(tmp_path, key_file)) == before
    assert compute(derive_with(tmp_path, key_file, b"1" * 64)) != before
    assert compute(load_derivation(None, key_file)) != before


def test_a_code_is_bound_to_its_use_and_its_subject(tmp_path, key_file):
    keys = HmacCodeKeys(derive_with(tmp_path, key_file))
    places = [(use, subject) for use in CodeUse for subject in ("ann@example.com", "bob@example.com")]
    assert len({keys.hash(*place, "123456") for place in places}) == len(places)
    assert len({keys.name(*place) for place in places}) == len(places)


def test_a_device_is_known_for_the_address_it_logged_in_to_and_no_other(tmp_path, key_file):
    devices = HmacDevices(derive_with(tmp_path, key_file))
    token = devices.issue("ann@example.com")
    device, _, proof = token.partition(".")
    assert devices.identify("ann@example.com", Client(device_token=token)) == device
    forged = ["", "x", f"{device}.", f"other.{proof}", f"{device}.{proof}x", "\ud800." + proof, device + ".\ud800"]
    assert [devices.identify("ann@example.com", Client(device_token=each)) for each in forged] == [""] * len(forged)
    assert devices.identify("bob@example.com", Client(device_token=token)) == ""


def test_a_mail_waits_sealed_and_belongs_to_its_place(tmp_path, key_file):
    seal = MailSeal(derive_with(tmp_path, key_file))
    end = datetime.now(UTC)
    mail = Mail("ann@example.com", "log_in_code", "fa", {"code": "123456"}, end)
    content = seal.close("first", mail)
    assert seal.open("first", content) == mail
    assert b"123456" not in content
    assert b"ann" not in content
    assert seal.open("second", content) is None
    assert seal.open("first", content[:-1] + b"x") is None
    assert seal.open("first", b"") is None
    other = MailSeal(derive_with(tmp_path, key_file, b"1" * 64))
    assert other.open("first", content) is None


def test_a_short_secret_is_refused(tmp_path, key_file):
    with pytest.raises(WrongSetting, match="fewer than 32 bytes"):
        derive_with(tmp_path, key_file, b"short\n")
