"""Coming in by mail: codes, resets and verified addresses, and who is slowed down by whose failures."""

from datetime import timedelta

import pytest

from auth.errors.accounts import (
    AddressLocked,
    EmailAlreadyVerified,
    InvalidCode,
    InvalidCredentials,
    InvalidRefreshToken,
    SessionNotFound,
    TooManyAttempts,
    UserGone,
    WeakPassword,
    WrongPassword,
)
from auth.model.accounts import Client, Registration
from auth.model.codes import Allowance, CodeLimits, CodeUse

EMAIL = "ann@example.com"
PASSWORD = "violet tractor hums at dawn"
OTHER = "seven quiet otters read news"
HERE, ELSEWHERE = Client("192.0.2.1", "a laptop", "fa"), Client("198.51.100.7")
NOBODY = "6b8c3e1e-0000-4000-8000-000000000001"


async def join(needs, email=EMAIL, password=PASSWORD):
    return await needs.users.sign_up(Registration(email, password), HERE)


async def join_verified(needs):
    made = await join(needs)
    await needs.addresses.verify(made.user.user_id, needs.read_code(EMAIL), HERE)
    return made


async def request(needs, use=CodeUse.LOG_IN, client=HERE, email=EMAIL):
    """Asks for a code and returns it as its reader does; empty where there is no reader."""
    await needs.addresses.request(use, email, client)
    mail = needs.outbox[-1]
    return mail.values["code"] if mail.recipient else ""


async def log_in(needs, code, client=HERE, email=EMAIL):
    return await needs.addresses.log_in(email, code, "", client)


def wrong(code):
    return f"{(int(code) + 1) % 10**6:06}"


async def fail(needs, times, client, pause=timedelta(hours=1)):
    for _ in range(times):
        needs.clock.now += pause
        with pytest.raises(InvalidCredentials):
            await needs.users.log_in(EMAIL, "wrong", client=client)


async def test_a_code_that_was_mailed_starts_a_session_once(needs):
    made = await join_verified(needs)
    code = await request(needs)
    assert len(code) == 6
    assert needs.outbox[-1].language == "fa"
    tokens = await log_in(needs, code)
    claims = needs.tokens.signed[-1]
    assert (claims["subject"], claims["tenant_id"]) == (made.user.user_id, made.tenant.tenant_id)
    assert tokens.device_token
    with pytest.raises(InvalidCode):
        await log_in(needs, code)


async def test_an_address_may_be_written_in_another_case(needs):
    await join_verified(needs)
    code = await request(needs, email=f" {EMAIL.upper()} ")
    await log_in(needs, code, email=EMAIL.title())


async def test_a_code_is_good_for_ten_minutes(needs):
    await join_verified(needs)
    code = await request(needs)
    needs.clock.advance(minutes=10)
    with pytest.raises(InvalidCode):
        await log_in(needs, code)


async def test_a_code_that_was_replaced_is_useless_at_once(needs):
    await join_verified(needs)
    first, second = await request(needs), await request(needs)
    with pytest.raises(InvalidCode):
        await log_in(needs, first if first != second else wrong(second))
    await log_in(needs, second)


async def test_five_wrong_tries_use_a_code_up(needs):
    await join_verified(needs)
    code = await request(needs)
    for _ in range(5):
        with pytest.raises(InvalidCode):
            await log_in(needs, wrong(code))
    with pytest.raises(InvalidCode):
        await log_in(needs, code)


@pytest.mark.parametrize("use", [CodeUse.RESET, CodeUse.VERIFY])
async def test_a_code_for_something_else_lets_nobody_in(needs, use):
    made = await join(needs)
    await (
        needs.addresses.request_verification(made.user.user_id, HERE) if use is CodeUse.VERIFY else request(needs, use)
    )
    with pytest.raises(InvalidCode):
        await log_in(needs, needs.read_code(EMAIL))


async def test_a_code_of_another_address_lets_nobody_in(needs):
    await join_verified(needs)
    await join(needs, "bob@example.com")
    code = await request(needs)
    await request(needs, email="bob@example.com")
    with pytest.raises(InvalidCode):
        await log_in(needs, code, email="bob@example.com")


async def test_an_address_without_an_account_is_treated_alike_but_for_the_mail(needs):
    await join_verified(needs)
    for use in (CodeUse.LOG_IN, CodeUse.RESET):
        await request(needs, use)
        known = needs.outbox[-1]
        assert await request(needs, use, email="nobody@example.com") == ""
        nowhere = needs.outbox[-1]
        assert (known.template, known.language, known.expire_time) == (
            nowhere.template,
            nowhere.language,
            nowhere.expire_time,
        )
        assert len(nowhere.values["code"]) == 6
    # Not even the digits that nobody was sent let anybody in.
    with pytest.raises(InvalidCode):
        await log_in(needs, needs.outbox[-1].values["code"], email="nobody@example.com")


async def test_a_code_proves_the_address_and_what_was_set_up_before_the_proof_is_worth_nothing(needs):
    planted = await join(needs)
    await log_in(needs, await request(needs))
    assert needs.accounts.accounts[planted.user.user_id].user.is_email_verified
    with pytest.raises(InvalidRefreshToken):
        await needs.flow.refresh(planted.tokens.refresh_token)
    with pytest.raises(InvalidCredentials):
        await needs.users.log_in(EMAIL, PASSWORD)


async def test_verifying_from_inside_a_session_keeps_password_and_session_and_takes_the_address_from_others(needs):
    squatter = await join(needs, password=OTHER)
    owner = await join(needs)
    user = await needs.addresses.verify(owner.user.user_id, needs.read_code(EMAIL), HERE)
    assert user.is_email_verified
    await needs.flow.refresh(owner.tokens.refresh_token)
    await needs.users.log_in(EMAIL, PASSWORD)
    with pytest.raises(InvalidRefreshToken):
        await needs.flow.refresh(squatter.tokens.refresh_token)
    with pytest.raises(InvalidCredentials):
        await needs.users.log_in(EMAIL, OTHER)


async def test_a_code_verifies_the_account_it_was_asked_for_and_no_other_of_the_address(needs):
    squatter = await join(needs, password=OTHER)
    await join(needs)
    code = needs.read_code(EMAIL)
    with pytest.raises(InvalidCode):
        await needs.addresses.verify(squatter.user.user_id, code, HERE)


async def test_a_verified_address_needs_no_code(needs):
    made = await join_verified(needs)
    with pytest.raises(EmailAlreadyVerified):
        await needs.addresses.request_verification(made.user.user_id, HERE)
    with pytest.raises(EmailAlreadyVerified):
        await needs.addresses.verify(made.user.user_id, "123456", HERE)


async def test_a_user_who_is_gone_verifies_nothing(needs):
    with pytest.raises(UserGone):
        await needs.addresses.request_verification(NOBODY, HERE)


async def test_a_reset_sets_the_password_ends_all_sessions_and_tells_the_owner(needs):
    made = await join_verified(needs)
    await needs.addresses.reset_password(EMAIL, await request(needs, CodeUse.RESET), OTHER, HERE)
    assert (needs.outbox[-1].template, needs.outbox[-1].recipient) == ("password_changed", EMAIL)
    with pytest.raises(InvalidRefreshToken):
        await needs.flow.refresh(made.tokens.refresh_token)
    with pytest.raises(InvalidCredentials):
        await needs.users.log_in(EMAIL, PASSWORD)
    await needs.users.log_in(EMAIL, OTHER)


async def test_a_weak_new_password_leaves_the_code_good(needs):
    await join_verified(needs)
    code = await request(needs, CodeUse.RESET)
    with pytest.raises(WeakPassword):
        await needs.addresses.reset_password(EMAIL, code, "short", HERE)
    await needs.addresses.reset_password(EMAIL, code, OTHER, HERE)


async def test_a_reset_hashes_as_often_for_a_wrong_code_and_for_nobody(needs):
    await join_verified(needs)
    code, calls = await request(needs, CodeUse.RESET), []
    for email in (EMAIL, "nobody@example.com"):
        needs.passwords.calls.clear()
        with pytest.raises(InvalidCode):
            await needs.addresses.reset_password(email, wrong(code), OTHER, HERE)
        calls.append(list(needs.passwords.calls))
    assert calls == [["hash"], ["hash"]]


async def test_a_changed_password_keeps_the_session_that_changed_it(needs):
    made = await join_verified(needs)
    other = await needs.users.log_in(EMAIL, PASSWORD)
    here = needs.tokens.signed[0]["session_id"]
    await needs.password_change.change(made.user.user_id, here, PASSWORD, OTHER, HERE)
    await needs.flow.refresh(made.tokens.refresh_token)
    with pytest.raises(InvalidRefreshToken):
        await needs.flow.refresh(other.refresh_token)
    await needs.users.log_in(EMAIL, OTHER)
    assert needs.outbox[-1].template == "password_changed"


async def test_a_password_is_changed_by_whoever_knows_it_and_guessing_it_is_counted(needs):
    made = await join_verified(needs)
    for _ in range(10):
        with pytest.raises(WrongPassword):
            await needs.password_change.change(made.user.user_id, "", OTHER, "a good new password", HERE)
    for current in (OTHER, PASSWORD):
        with pytest.raises(TooManyAttempts):
            await needs.password_change.change(made.user.user_id, "", current, "a good new password", HERE)


async def test_sessions_are_listed_with_device_and_address_and_end_one_by_one_or_all(needs):
    made = await join_verified(needs)
    await needs.users.log_in(EMAIL, PASSWORD, client=ELSEWHERE)
    user_id = made.user.user_id
    sessions = {each.address: each for each in await needs.flow.list_live(user_id)}
    assert {each.address: each.device for each in sessions.values()} == {"192.0.2.1": "a laptop", "198.51.100.7": ""}
    await needs.flow.end_one(user_id, sessions["198.51.100.7"].session_id)
    assert [each.address for each in await needs.flow.list_live(user_id)] == ["192.0.2.1"]
    for session_id in (sessions["198.51.100.7"].session_id, NOBODY):
        with pytest.raises(SessionNotFound):
            await needs.flow.end_one(user_id, session_id)
    for _ in range(2):
        await needs.users.log_in(EMAIL, PASSWORD, client=ELSEWHERE)
    assert await needs.flow.end_all(user_id, keep=sessions["192.0.2.1"].session_id) == 2
    assert await needs.flow.end_all(user_id) == 1


async def test_log_out_everywhere_ends_all_sessions_of_the_user_and_of_nobody_else(needs):
    made = await join(needs)
    second = await needs.users.log_in(EMAIL, PASSWORD)
    bob = await join(needs, "bob@example.com")
    await needs.flow.end(second.refresh_token, is_everywhere=True)
    for tokens in (made.tokens, second):
        with pytest.raises(InvalidRefreshToken):
            await needs.flow.refresh(tokens.refresh_token)
    await needs.flow.refresh(bob.tokens.refresh_token)


async def test_one_clients_failures_do_not_lock_the_owner_out_elsewhere(needs):
    await join(needs)
    await fail(needs, 100, ELSEWHERE)
    with pytest.raises(AddressLocked):
        await needs.users.log_in(EMAIL, PASSWORD, client=ELSEWHERE)
    await needs.users.log_in(EMAIL, PASSWORD, client=HERE)


async def test_many_clients_are_slowed_down_together_and_stopped_together(needs):
    await join(needs)
    for number in range(200):
        await fail(needs, 1, Client(f"10.0.0.{number}"), timedelta(0))
    with pytest.raises(TooManyAttempts):
        await needs.users.log_in(EMAIL, PASSWORD, client=HERE)
    for number in range(800):
        await fail(needs, 1, Client(f"10.1.{number // 200}.{number % 200}"))
    needs.clock.advance(days=365)
    with pytest.raises(AddressLocked):
        await needs.users.log_in(EMAIL, PASSWORD, client=HERE)


async def test_a_device_that_has_logged_in_before_is_not_slowed_down_by_the_failures_of_others(needs):
    await join_verified(needs)
    known = Client("192.0.2.9", device_token=(await needs.users.log_in(EMAIL, PASSWORD)).device_token)
    for number in range(1000):
        await fail(needs, 1, Client(f"10.1.{number // 200}.{number % 200}"))
    with pytest.raises(AddressLocked):
        await needs.users.log_in(EMAIL, PASSWORD, client=HERE)
    await fail(needs, 10, known, timedelta(0))
    with pytest.raises(TooManyAttempts):
        await needs.users.log_in(EMAIL, PASSWORD, client=known)
    needs.clock.advance(seconds=1)
    await needs.users.log_in(EMAIL, PASSWORD, client=known)
    # The owner has come in: what strangers failed at is forgotten.
    await needs.users.log_in(EMAIL, PASSWORD, client=HERE)


async def test_a_device_of_one_address_is_a_stranger_to_all_others(needs):
    await join_verified(needs)
    token = (await needs.users.log_in(EMAIL, PASSWORD)).device_token
    assert needs.codes.identify("bob@example.com", Client(device_token=token)).is_known is False


async def test_who_signed_up_with_an_address_that_is_not_theirs_gets_no_device_and_resets_no_counter(needs):
    made = await join(needs)
    assert (made.tokens.device_token, (await needs.users.log_in(EMAIL, PASSWORD)).device_token) == ("", "")
    for number in range(200):
        await fail(needs, 1, Client(f"10.0.0.{number}"), timedelta(0))
        if number == 150:
            await needs.users.log_in(EMAIL, PASSWORD, client=HERE)
    with pytest.raises(TooManyAttempts):
        await needs.users.log_in(EMAIL, PASSWORD, client=HERE)


async def test_a_new_code_does_not_reset_the_failures_of_its_address(needs):
    await join_verified(needs)
    for number in range(10):
        code = await request(needs, client=Client(f"10.0.0.{number}"))
        with pytest.raises(InvalidCode):
            await log_in(needs, wrong(code), Client(f"10.0.0.{number}"))
    with pytest.raises(TooManyAttempts):
        await log_in(needs, code, Client("10.0.1.1"))


async def test_a_hundred_wrong_codes_stop_an_address_for_strangers_until_its_owner_comes_in(needs):
    await join_verified(needs)
    password_client = Client("192.0.2.2")
    for number in range(100):
        client = Client(f"10.0.{number}.1")
        needs.clock.advance(hours=3)
        code = await request(needs, client=client)
        with pytest.raises(InvalidCode):
            await log_in(needs, wrong(code), client)
    needs.clock.advance(days=365)
    code = await request(needs)
    with pytest.raises(AddressLocked):
        await log_in(needs, code)
    await needs.users.log_in(EMAIL, PASSWORD, client=password_client)
    await log_in(needs, code)


async def test_codes_are_counted_before_they_are_judged(needs):
    await join_verified(needs)
    code, redeem = await request(needs), needs.stored.redeem
    seen = []

    async def look(*args):
        seen.append((await needs.failures.find(needs.codes.identify(EMAIL, HERE))).everywhere.failures)
        return await redeem(*args)

    needs.stored.redeem = look
    with pytest.raises(InvalidCode):
        await log_in(needs, wrong(code))
    await log_in(needs, code)
    assert seen == [1, 2]
    assert (await needs.failures.find(needs.codes.identify(EMAIL, HERE))).everywhere.failures == 0


@pytest.mark.parametrize(
    ("limits", "client"),
    [
        ({"requests_by_address": Allowance(3, timedelta(hours=1))}, ELSEWHERE),
        ({"requests_by_client": Allowance(3, timedelta(hours=1))}, HERE),
        ({"requests_overall": Allowance(3, timedelta(hours=1))}, ELSEWHERE),
    ],
)
async def test_only_so_many_codes_are_mailed_in_an_hour(needs, limits, client):
    needs.limits = CodeLimits(**limits)
    email = EMAIL if "requests_by_address" in limits else "bob@example.com"
    for _ in range(3):
        await request(needs)
    needs.clock.advance(minutes=10)
    with pytest.raises(TooManyAttempts) as raised:
        await request(needs, client=client, email=email)
    assert raised.value.retry_after_seconds == 50 * 60
    needs.clock.advance(minutes=50)
    await request(needs, client=client, email=email)


async def test_sign_ups_are_mailed_and_count_as_codes_that_were_asked_for(needs):
    needs.limits = CodeLimits(requests_overall=Allowance(3, timedelta(hours=1)))
    for number in range(3):
        await join(needs, f"{number}@example.com")
    with pytest.raises(TooManyAttempts):
        await join(needs, "3@example.com")
    assert len(needs.outbox) == 3


async def test_a_change_of_password_is_not_told_to_an_address_that_nobody_has_proven(needs):
    made = await join(needs)
    await needs.password_change.change(made.user.user_id, "", PASSWORD, OTHER, HERE)
    assert (needs.outbox[-1].template, needs.outbox[-1].recipient) == ("password_changed", "")


async def test_a_known_device_gets_its_code_whatever_others_asked_for(needs):
    needs.limits = CodeLimits(requests_by_address=Allowance(3, timedelta(hours=1)))
    await join_verified(needs)
    known = Client(device_token=(await needs.users.log_in(EMAIL, PASSWORD)).device_token)
    for _ in range(3):
        await request(needs, client=ELSEWHERE)
    for _ in range(3):
        assert await request(needs, client=known)
    with pytest.raises(TooManyAttempts):
        await request(needs, client=known)


@pytest.mark.parametrize("what", ["failures_by_client", "failures_overall"])
async def test_wrong_codes_are_limited_by_client_and_overall_whatever_the_address(needs, what):
    needs.limits = CodeLimits(**{what: Allowance(3, timedelta(hours=1))})
    for number in range(3):
        client = HERE if what == "failures_by_client" else Client(f"10.0.0.{number}")
        with pytest.raises(InvalidCode):
            await log_in(needs, "000000", client, email=f"{number}@example.com")
    with pytest.raises(TooManyAttempts):
        await log_in(needs, "000000", HERE, email="3@example.com")
    needs.clock.advance(hours=1)
    with pytest.raises(InvalidCode):
        await log_in(needs, "000000", HERE, email="3@example.com")


async def test_five_right_codes_make_good_for_a_wrong_one(needs):
    needs.limits = CodeLimits(failures_overall=Allowance(3, timedelta(days=1)))
    await join_verified(needs)
    for _ in range(2):
        with pytest.raises(InvalidCode):
            await log_in(needs, "000000", email="nobody@example.com")
    for number in range(10):
        needs.clock.advance(hours=1)
        await log_in(needs, await request(needs), Client(f"10.0.0.{number}"))
    for _ in range(3):
        with pytest.raises(InvalidCode):
            await log_in(needs, "000000", ELSEWHERE, email="nobody@example.com")
