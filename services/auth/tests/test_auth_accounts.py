import re
from dataclasses import replace
from datetime import timedelta

import pytest

from auth.accounts.throttle import unlock
from auth.errors.accounts import (
    AddressLocked,
    HasherBusy,
    InvalidCode,
    InvalidCredentials,
    InvalidRefreshToken,
    InvalidServiceCredentials,
    TenantNotFound,
    TooManyAttempts,
    UserGone,
    WeakPassword,
)
from auth.model.accounts import Client, Credential, FailureCount, Failures, Membership, Purpose, Registration, Tenant
from servicekit.identity import Role

EMAIL = "ann@example.com"
PASSWORD = "violet tractor hums at dawn"
WRONG = "violet tractor hums at dusk"


async def join(needs, email=EMAIL, **names):
    return await needs.users.sign_up(Registration(email, PASSWORD, **names))


async def fail(needs, times, email=EMAIL):
    """Fails so often, waiting as long as it takes in between."""
    for _ in range(times):
        needs.clock.advance(hours=1)
        with pytest.raises(InvalidCredentials):
            await needs.users.log_in(email, WRONG)


async def test_sign_up_makes_a_user_who_owns_a_tenant_and_is_logged_in(needs):
    made = await join(needs, email=EMAIL.upper(), display_name="Ann", tenant_name="Acme Inc")
    assert (made.user.email, made.user.display_name) == (EMAIL, "Ann")
    assert (made.tenant.slug, made.tenant.display_name) == ("acme-inc", "Acme Inc")
    claims = needs.tokens.signed[-1]
    assert (claims["subject"], claims["tenant_id"]) == (made.user.user_id, made.tenant.tenant_id)
    assert claims["role"] is Role.OWNER
    assert made.tokens.expires_in == timedelta(minutes=15)


async def test_names_left_empty_come_from_the_address(needs):
    made = await join(needs)
    assert (made.user.display_name, made.tenant.display_name) == ("ann", "ann")


async def test_a_slug_that_is_made_from_the_address_does_not_tell_whether_the_address_was_there_before(needs):
    slugs = [(await join(needs, display_name=name)).tenant.slug for name in ("", "", "Ann", "Ann")]
    assert all(re.fullmatch("ann-[0-9a-f]{8}", slug) for slug in slugs)
    assert len(set(slugs)) == 4


async def test_two_tenants_of_one_name_get_two_slugs(needs):
    first = await join(needs, tenant_name="Acme")
    second = await join(needs, email="bob@example.com", tenant_name="Acme")
    assert first.tenant.slug == "acme"
    assert second.tenant.slug.startswith("acme-")
    assert len(second.tenant.slug) == len("acme-") + 8


async def test_a_weak_password_is_refused_before_anything_is_hashed(needs):
    with pytest.raises(WeakPassword):
        await needs.users.sign_up(Registration(EMAIL, "too short"))
    assert needs.passwords.calls == []


async def test_a_password_that_is_guessed_soon_is_refused_before_anything_is_hashed(needs):
    needs.guesses.log10 = 9.9
    with pytest.raises(WeakPassword, match="guessed soon"):
        await join(needs, display_name="Ann Lee", tenant_name="Acme")
    assert needs.passwords.calls == []
    ((_, known),) = needs.guesses.asked
    assert {"docuchat", "ann", "Ann", "Lee", "Acme"} <= set(known)


async def verify(needs, made):
    """Makes the address of a sign-up verified, as its owner does."""
    await needs.addresses.verify(made.user.user_id, needs.read_code(made.user.email), Client())


async def test_signing_up_with_a_verified_address_answers_as_any_other_and_tells_its_owner(needs):
    first = await join(needs, tenant_name="Acme")
    await verify(needs, first)
    needs.passwords.calls.clear()
    second = await needs.users.sign_up(Registration(EMAIL, "seven quiet otters read news", tenant_name="Fake"))
    assert needs.passwords.calls == ["hash"]
    assert (second.user.email, second.user.is_email_verified, second.tokens.device_token) == (EMAIL, False, "")
    assert [mail.template for mail in needs.outbox] == ["verify_code", "address_taken"]
    assert needs.outbox[-1].recipient == EMAIL


async def test_a_verified_address_cannot_be_verified_by_who_signed_up_with_it_later(needs):
    await verify(needs, await join(needs))
    second = await needs.users.sign_up(Registration(EMAIL, "seven quiet otters read news", tenant_name="Fake"))
    await needs.addresses.request_verification(second.user.user_id, Client())
    assert needs.outbox[-1].recipient == ""
    for code in (needs.outbox[-1].values["code"], "000000"):
        with pytest.raises(InvalidCode):
            await needs.addresses.verify(second.user.user_id, code, Client())


async def test_of_two_accounts_that_share_an_address_the_password_tells_which_is_meant(needs):
    other = "seven quiet otters read news"
    made = {password: (await needs.users.sign_up(Registration(EMAIL, password))).user for password in (PASSWORD, other)}
    for password, user in made.items():
        needs.passwords.calls.clear()
        await needs.users.log_in(EMAIL, password)
        assert needs.tokens.signed[-1]["subject"] == user.user_id
        assert needs.passwords.calls == ["verify"]


async def test_the_twentieth_sign_up_with_one_address_has_to_wait_wherever_it_comes_from(needs):
    for number in range(20):
        await needs.users.sign_up(Registration(EMAIL, PASSWORD), Client(f"192.0.2.{number}"))
    with pytest.raises(TooManyAttempts):
        await needs.users.sign_up(Registration(EMAIL, PASSWORD), Client("192.0.2.99"))


async def test_log_in_ignores_the_case_of_the_address(needs):
    made = await join(needs)
    await needs.users.log_in(f" {EMAIL.upper()} ", PASSWORD)
    assert needs.tokens.signed[-1]["subject"] == made.user.user_id


async def test_each_log_in_is_a_session_of_its_own(needs):
    await join(needs)
    await needs.users.log_in(EMAIL, PASSWORD)
    assert len({claims["session_id"] for claims in needs.tokens.signed}) == 2


async def test_an_unknown_address_and_a_wrong_password_cost_and_answer_the_same(needs):
    await join(needs)
    answers = []
    for email in (EMAIL, "nobody@example.com"):
        needs.passwords.calls.clear()
        with pytest.raises(InvalidCredentials) as raised:
            await needs.users.log_in(email, WRONG)
        answers.append((list(needs.passwords.calls), str(raised.value), raised.value.code, raised.value.metadata))
    assert answers[0] == answers[1]
    assert answers[0][0] == ["verify"]


async def test_while_too_many_wait_to_be_hashed_a_log_in_is_refused_before_the_database_is_asked(needs):
    needs.passwords.is_busy, needs.failures = True, None
    with pytest.raises(HasherBusy):
        await needs.users.log_in(EMAIL, PASSWORD)


async def test_log_in_chooses_among_the_own_memberships(needs):
    made = await join(needs)
    other = Tenant("6b8c3e1e-0000-4000-8000-000000000001", "other", "Other", needs.clock())
    needs.accounts.members[made.user.user_id].append(Membership(other, Role.MEMBER))
    await needs.users.log_in(EMAIL, PASSWORD)
    assert needs.tokens.signed[-1]["tenant_id"] == made.tenant.tenant_id
    await needs.users.log_in(EMAIL, PASSWORD, other.tenant_id)
    assert needs.tokens.signed[-1]["tenant_id"] == other.tenant_id
    assert needs.tokens.signed[-1]["role"] is Role.MEMBER


async def test_a_tenant_of_others_is_not_found(needs):
    await join(needs)
    strangers = await join(needs, email="bob@example.com")
    with pytest.raises(TenantNotFound):
        await needs.users.log_in(EMAIL, PASSWORD, strangers.tenant.tenant_id)


async def test_a_hash_of_old_strength_is_renewed_by_a_good_log_in_only(needs):
    await join(needs)
    needs.passwords.generation = 2
    with pytest.raises(InvalidCredentials):
        await needs.users.log_in(EMAIL, WRONG)
    (user_id,) = needs.accounts.accounts
    assert needs.accounts.accounts[user_id].credential.password_hash.startswith("1:")
    await needs.users.log_in(EMAIL, PASSWORD)
    assert needs.accounts.accounts[user_id].credential.password_hash.startswith("2:")


async def test_a_password_from_before_there_were_tags_gets_one_at_the_next_log_in(needs):
    user_id = (await join(needs)).user.user_id
    await needs.accounts.replace_hash(user_id, Credential(f"1:{PASSWORD}", None))
    await needs.users.log_in(EMAIL, PASSWORD)
    assert needs.accounts.accounts[user_id].credential.tag is not None


@pytest.mark.parametrize(("failures", "pause"), [(10, 1), (11, 2), (15, 32), (21, 2048), (22, 3600), (99, 3600)])
async def test_from_ten_failures_on_the_pause_doubles_up_to_an_hour(needs, failures, pause):
    await join(needs)
    await fail(needs, failures)
    needs.passwords.calls.clear()
    with pytest.raises(TooManyAttempts) as raised:
        await needs.users.log_in(EMAIL, PASSWORD)
    assert raised.value.retry_after_seconds == pause
    assert needs.passwords.calls == []
    needs.clock.advance(seconds=pause)
    await needs.users.log_in(EMAIL, PASSWORD)


async def test_nine_failures_cost_no_pause(needs):
    await join(needs)
    await fail(needs, 9)
    await needs.users.log_in(EMAIL, PASSWORD)


async def test_success_forgets_the_failures(needs):
    await join(needs)
    await fail(needs, 12)
    needs.clock.advance(hours=1)
    await needs.users.log_in(EMAIL, PASSWORD)
    await fail(needs, 9)
    await needs.users.log_in(EMAIL, PASSWORD)


async def test_a_hundred_failures_in_a_row_lock_the_address_until_the_operator_opens_it(needs):
    await join(needs)
    await fail(needs, 100)
    needs.clock.advance(days=365)
    with pytest.raises(AddressLocked):
        await needs.users.log_in(EMAIL, PASSWORD)
    await unlock(needs.failures, EMAIL.upper())
    await needs.users.log_in(EMAIL, PASSWORD)


async def test_an_unknown_address_is_throttled_like_a_known_one(needs):
    await fail(needs, 10, "nobody@example.com")
    with pytest.raises(TooManyAttempts):
        await needs.users.log_in("nobody@example.com", WRONG)


async def test_a_burst_let_in_together_learns_nothing_after_the_tenth_failure(needs):
    await join(needs)
    await fail(needs, 9)
    verify = needs.passwords.verify

    async def verify_while_another_guess_fails(password_hash, password):
        attempt, failed = needs.codes.identify(EMAIL, Client(), Purpose.PASSWORD), FailureCount(10, needs.clock())
        await needs.failures.change(attempt, lambda _: Failures(failed, failed))
        return await verify(password_hash, password)

    needs.passwords.verify = verify_while_another_guess_fails
    with pytest.raises(TooManyAttempts):
        await needs.users.log_in(EMAIL, PASSWORD)


async def test_a_refresh_gives_new_tokens_of_the_same_session(needs):
    first = (await join(needs)).tokens
    second = await needs.flow.refresh(first.refresh_token)
    assert second.refresh_token != first.refresh_token
    before, after = needs.tokens.signed
    assert before["session_id"] == after["session_id"]


async def test_only_hashes_of_refresh_tokens_are_stored(needs):
    tokens = (await join(needs)).tokens
    assert len(tokens.refresh_token) == 43
    assert tokens.refresh_token not in repr(needs.sessions)
    assert tokens.refresh_token not in repr(tokens)


async def test_within_the_grace_a_repeated_refresh_gives_the_same_successor(needs):
    first = (await join(needs)).tokens
    answers = [await needs.flow.refresh(first.refresh_token)]
    needs.clock.advance(seconds=10)
    answers.append(await needs.flow.refresh(first.refresh_token))
    assert answers[0].refresh_token == answers[1].refresh_token
    await needs.flow.refresh(answers[1].refresh_token)


async def test_a_successor_that_the_store_does_not_know_is_never_handed_out(needs):
    first = (await join(needs)).tokens
    await needs.flow.refresh(first.refresh_token)
    # As after an exchange of the key that successors are derived with.
    needs.successors.derive = lambda token: f"another {token}"
    with pytest.raises(InvalidRefreshToken):
        await needs.flow.refresh(first.refresh_token)


async def test_within_the_grace_a_repetition_after_the_successor_was_used_ends_the_session(needs):
    first = (await join(needs)).tokens
    second = await needs.flow.refresh(first.refresh_token)
    third = await needs.flow.refresh(second.refresh_token)
    needs.clock.advance(seconds=1)
    for token in (first.refresh_token, third.refresh_token):
        with pytest.raises(InvalidRefreshToken):
            await needs.flow.refresh(token)


async def test_a_second_refresh_after_the_grace_ends_the_session(needs):
    first = (await join(needs)).tokens
    second = await needs.flow.refresh(first.refresh_token)
    needs.clock.advance(seconds=10.5)
    for token in (first.refresh_token, second.refresh_token):
        with pytest.raises(InvalidRefreshToken):
            await needs.flow.refresh(token)


async def test_repeating_within_the_grace_does_not_prolong_it(needs):
    first = (await join(needs)).tokens
    await needs.flow.refresh(first.refresh_token)
    needs.clock.advance(seconds=8)
    await needs.flow.refresh(first.refresh_token)
    needs.clock.advance(seconds=8)
    with pytest.raises(InvalidRefreshToken):
        await needs.flow.refresh(first.refresh_token)


async def test_one_stolen_session_does_not_end_the_others(needs):
    stolen = (await join(needs)).tokens
    safe = await needs.users.log_in(EMAIL, PASSWORD)
    await needs.flow.refresh(stolen.refresh_token)
    needs.clock.advance(minutes=1)
    with pytest.raises(InvalidRefreshToken):
        await needs.flow.refresh(stolen.refresh_token)
    await needs.flow.refresh(safe.refresh_token)


async def test_a_session_ends_seven_days_after_log_in_however_often_it_is_refreshed(needs):
    tokens = (await join(needs)).tokens
    for _ in range(6):
        needs.clock.advance(days=1)
        tokens = await needs.flow.refresh(tokens.refresh_token)
    needs.clock.advance(days=1, minutes=-5)
    tokens = await needs.flow.refresh(tokens.refresh_token)
    assert tokens.expires_in == timedelta(minutes=5)
    needs.clock.advance(minutes=5)
    with pytest.raises(InvalidRefreshToken):
        await needs.flow.refresh(tokens.refresh_token)


async def test_a_refresh_brings_the_role_of_today(needs):
    made = await join(needs)
    memberships = needs.accounts.members[made.user.user_id]
    memberships[:] = [replace(memberships[0], role=Role.MEMBER)]
    tokens = await needs.flow.refresh(made.tokens.refresh_token)
    assert needs.tokens.signed[-1]["role"] is Role.MEMBER
    memberships.clear()
    with pytest.raises(InvalidRefreshToken):
        await needs.flow.refresh(tokens.refresh_token)


@pytest.mark.parametrize("which", ["first", "second"])
async def test_log_out_with_any_token_of_the_session_ends_it(needs, which):
    first = (await join(needs)).tokens
    second = await needs.flow.refresh(first.refresh_token)
    await needs.flow.end({"first": first, "second": second}[which].refresh_token)
    for token in (first, second):
        with pytest.raises(InvalidRefreshToken):
            await needs.flow.refresh(token.refresh_token)


async def test_unknown_refresh_tokens_refresh_nothing_and_log_nobody_out(needs):
    tokens = (await join(needs)).tokens
    with pytest.raises(InvalidRefreshToken):
        await needs.flow.refresh("made up")
    await needs.flow.end("made up")
    await needs.flow.refresh(tokens.refresh_token)


def test_a_service_with_its_secret_gets_an_hour(needs):
    token = needs.services.issue_token("ingestion", "the secret of ingestion")
    assert token.expires_in == timedelta(hours=1)
    assert needs.tokens.signed[-1]["role"] is Role.SERVICE
    assert needs.tokens.signed[-1]["subject"] == "ingestion"


@pytest.mark.parametrize(("name", "secret"), [("ingestion", "guess"), ("retrieval", "the secret of ingestion")])
def test_a_service_without_its_secret_gets_nothing(needs, name, secret):
    with pytest.raises(InvalidServiceCredentials):
        needs.services.issue_token(name, secret)
    assert needs.tokens.signed == []


async def test_me_is_the_user_with_the_memberships(needs):
    made = await join(needs)
    me = await needs.users.describe_me(made.user.user_id)
    assert me.user == made.user
    assert [each.tenant for each in me.memberships] == [made.tenant]


async def test_a_user_who_is_gone_is_no_longer_known(needs):
    with pytest.raises(UserGone) as raised:
        await needs.users.describe_me("6b8c3e1e-0000-4000-8000-000000000001")
    assert raised.value.reason == "TOKEN_INVALID"


async def test_tokens_say_how_many_calls_a_minute_the_tenants_plan_has(needs):
    needs.plan_limits.limit = 600
    tokens = (await needs.users.sign_up(Registration("ann@example.com", PASSWORD))).tokens
    needs.plan_limits.limit = 60
    await needs.flow.refresh(tokens.refresh_token)
    assert [said["requests_per_minute"] for said in needs.tokens.signed] == [600, 60]
