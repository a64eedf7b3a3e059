"""What was worked out before."""

import pytest

from servicekit.memory import ENTRY_BYTES, Memory


def make(values, most=10):
    memory = Memory(most * (ENTRY_BYTES + 100))
    for value in values:
        memory.remember(value, value * 2, 100)
    return memory


def test_it_gives_back_what_it_holds_and_nothing_else():
    memory = make("ab")

    assert [memory.recall(key) for key in "abc"] == ["aa", "bb", None]


def test_what_was_used_longest_ago_goes_first_when_the_bytes_are_used_up():
    memory = make("abc", most=3)

    memory.recall("a")
    memory.remember("d", "dd", 100)

    assert [memory.recall(key) for key in "abcd"] == ["aa", None, "cc", "dd"]


@pytest.mark.parametrize(("size", "kept"), [(0, 13), (100, 10), (1000, 2), (10_000, 0)])
def test_the_bytes_bound_it_however_large_or_small_its_values_are(size, kept):
    memory = make("")

    for number in range(100):
        memory.remember(number, number, size)

    assert len(memory) == kept


def test_a_value_that_is_replaced_is_counted_once():
    memory = make("a" * 100 + "b", most=2)

    assert [memory.recall(key) for key in "ab"] == ["aa", "bb"]


def test_what_it_let_go_of_makes_room():
    memory = make("abc", most=3)

    memory.forget_all()
    for key in "xyz":
        memory.remember(key, key, 100)

    assert [memory.recall(key) for key in "abcxyz"] == [None, None, None, "x", "y", "z"]
