import pytest

from auth.accounts.common_passwords import COMMON_PASSWORDS
from auth.accounts.names import clean_name, make_slug, normalise_email
from auth.accounts.passwords import check_password, normalise_password
from auth.model import WeakPassword

EMAIL = "marion.keller@example.com"


@pytest.mark.parametrize(
    "password",
    [
        "violet tractor hums at dawn",
        "aaaabbbbccccdddd-eeee",  # no composition rules
        "onlylowercaseletterswithoutasense",
        "سلام به همه دوستان من",
        "🦊🐻🐼🐨🐯🦁🐮🐷🐸🐵🐔🐧🐦🐤🦆",
        "exactly15letter",
    ],
)
def test_a_long_password_that_nobody_guesses_is_good(password):
    check_password(normalise_password(password), EMAIL)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "fewer than 15"),
        ("fourteen chars", "fewer than 15"),
        ("Aa1!Aa1?zZ9$", "fewer than 15"),
        ("password12345678", "try first"),
        ("PassWord-1234-5678", "try first"),
        ("correct horse battery staple", "try first"),
        ("aaaaaaaaaaaaaaa", "repeats"),
        ("abcabcabcabcabcab", "repeats"),
        ("                ", "repeats"),
        ("123456789012345", "keyboard"),
        ("zyxwvutsrqponmlkj", "keyboard"),
        ("qwertyuiopasdfghjkl", "keyboard"),
        ("marion.keller@example.com", "e-mail"),
        ("MARION.KELLER likes pears", "e-mail"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason_why(password, why):
    with pytest.raises(WeakPassword, match=why) as raised:
        check_password(normalise_password(password), EMAIL)
    assert (raised.value.reason, raised.value.violations[0].field) == ("WEAK_PASSWORD", "password")
    assert len(password) < 5 or password not in str(raised.value)


def test_a_very_short_local_part_may_be_in_a_password():
    check_password("violet tractor hums at dawn", "at@example.com")


def test_the_same_characters_typed_on_two_keyboards_are_one_password():
    assert normalise_password("Zoe\u0308 Ｔractor") == normalise_password("Zoë Tractor")


def test_every_entry_of_the_block_list_can_match():
    assert len(COMMON_PASSWORDS) > 200
    assert all(entry == entry.casefold() and entry.isalnum() and len(entry) >= 12 for entry in COMMON_PASSWORDS)


@pytest.mark.parametrize(
    ("address", "stored"),
    [("  Ann@Example.COM ", "ann@example.com"), ("ann\0@example.com", "ann\ufffd@example.com")],
)
def test_addresses_are_stored_in_one_form(address, stored):
    assert normalise_email(address) == stored


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Acme, Inc.", "acme-inc"),
        ("  Größe & Söhne ", "groe-sohne"),
        ("شرکت", "team"),
        ("--", "team"),
        ("x" * 100, "x" * 40),
        ("a" * 39 + " b", "a" * 39),
    ],
)
def test_slugs_hold_letters_digits_and_single_hyphens(name, slug):
    assert make_slug(name) == slug


def test_names_lose_what_turns_or_hides_text_and_keep_what_joins_it():
    assert clean_name("Ann\u202e\u2066 \u200fLee\u200b\ufeff") == "Ann Lee"
    assert clean_name("\u202e\u200b") == ""
    assert clean_name("\U0001f469\u200d\U0001f52c") == "\U0001f469\u200d\U0001f52c"


def test_names_keep_their_letters_and_lose_control_characters():
    assert clean_name(" Ann\x00\r\n\tB.  می\u200cخواهم ") == "Ann B. می\u200cخواهم"
