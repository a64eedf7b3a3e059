import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from servicekit.retrying import RetryPolicy, read_retry_after, read_target, try_again

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def test_waits_are_spread_between_nothing_and_a_limit_that_doubles_up_to_the_cap():
    policy = RetryPolicy(attempts=10, first_limit=0.5, cap=2.0)
    for attempt, limit in [(1, 0.5), (2, 1.0), (3, 2.0), (4, 2.0), (9, 2.0)]:
        waits = [policy.choose_wait(attempt) for _ in range(400)]
        assert 0 <= min(waits) < limit * 0.1
        assert limit * 0.9 < max(waits) <= limit


def test_the_last_attempt_has_no_wait_after_it():
    policy = RetryPolicy(attempts=3)
    assert [policy.choose_wait(attempt) is None for attempt in (1, 2, 3, 4)] == [False, False, True, True]


def test_a_wait_is_never_shorter_than_what_the_provider_asks_for():
    assert RetryPolicy(first_limit=0.5).choose_wait(1, 3.0) == 3.0
    assert 0.2 <= RetryPolicy(first_limit=0.5).choose_wait(1, 0.2) <= 0.5


def test_a_provider_that_asks_for_longer_than_anyone_waits_gets_no_second_attempt():
    assert RetryPolicy(longest_wait=8.0).choose_wait(1, 8.0) == 8.0
    assert RetryPolicy(longest_wait=8.0).choose_wait(1, 8.1) is None
    assert RetryPolicy().choose_wait(1, read_retry_after("9" * 400)) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 12:00:30 -0000", 30.0),
        ("Sat, 21 Nov 2026 11:59:00 GMT", 0.0),
        ("0", 0.0),
        ("", 0.0),
        (None, 0.0),
        ("-5", 0.0),
        (".", 0.0),
        ("nan", 0.0),
        ("inf", 0.0),
        ("soon", 0.0),
        ("Sat, 99 Nov 2026 12:00:30 GMT", 0.0),
        ("Sat, 21 Nov 2026 12:00:30 +999999999999999999", 0.0),
    ],
)
def test_a_retry_after_header_is_read_as_seconds(header, seconds):
    assert read_retry_after(header, NOW) == seconds


class Flaky:
    """Fails with each of its errors, then answers; `waits` are those between its tries."""

    def __init__(self, *errors):
        self.errors, self.waits = list(errors), []

    async def call(self):
        if self.errors:
            raise self.errors.pop(0)
        return "answer"

    async def run(self, read_wait=lambda _: 0.0, seconds=None, **policy):
        async def sleep(seconds):
            self.waits.append(seconds)

        async with asyncio.timeout(seconds) as bound:
            return await try_again(self.call, RetryPolicy(**policy), bound, read_wait, sleep)


async def test_a_failure_that_may_pass_is_tried_again_after_the_wait_that_it_asks_for():
    flaky = Flaky(OSError(), OSError())
    assert await flaky.run(lambda _: 3.0, first_limit=0.1) == "answer"
    assert flaky.waits == [3.0, 3.0]


async def test_after_so_many_attempts_the_last_failure_is_told():
    flaky = Flaky(OSError("a"), OSError("b"), OSError("c"))
    with pytest.raises(OSError, match="b"):
        await flaky.run(attempts=2)
    assert len(flaky.waits) == 1


async def test_a_failure_that_no_further_try_mends_is_told_at_once():
    flaky = Flaky(ValueError())
    with pytest.raises(ValueError):  # noqa: PT011 - it has no text
        await flaky.run(lambda error: 0.0 if isinstance(error, OSError) else None)
    assert flaky.waits == []


async def test_no_wait_begins_that_the_bound_over_all_attempts_would_cut_off():
    flaky = Flaky(OSError())
    with pytest.raises(OSError):  # noqa: PT011 - it has no text
        await flaky.run(lambda _: 5.0, seconds=4.0)
    assert flaky.waits == []


class Failed(Exception):
    def __init__(self, url):
        self.request = SimpleNamespace(url=url)


def test_the_target_of_a_failed_call_is_named_without_what_may_be_secret():
    error = ValueError("an SDK's own")
    error.__cause__ = Failed("https://user:pass@llm.example.org:8443/v1/chat?key=sk-1#x")
    assert read_target(error) == "https://llm.example.org:8443/v1/chat"
    assert read_target(ValueError("no call at all")) == ""
