from datetime import UTC, datetime

import pytest

from servicekit.rpc.paging import (
    InvalidPageToken,
    cut_page,
    decode_number,
    decode_page_token,
    decode_row_key,
    encode_page_token,
    page_size,
    read_moment,
)


def test_a_token_gives_its_key_back():
    assert decode_page_token("documents", encode_page_token("documents", ["2026", "id"])) == ("2026", "id")


def test_an_empty_token_is_the_first_page():
    assert decode_page_token("documents", "") is None


@pytest.mark.parametrize("token", ["x", "é", "e30", encode_page_token("chunks", ["1"]), "W10", "WzFd", "W251bGwsMV0"])
def test_anything_else_is_refused(token):
    with pytest.raises(InvalidPageToken):
        decode_page_token("documents", token)


def test_keys_that_are_not_text_are_refused():
    import base64

    token = base64.urlsafe_b64encode(b'["documents", 5]').decode()
    with pytest.raises(InvalidPageToken):
        decode_page_token("documents", token)


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (-1, 50), (7, 7), (1000, 100)])
def test_page_sizes_are_bounded(asked, given):
    assert page_size(asked) == given


def test_a_time_comes_back_with_its_zone():
    assert read_moment("2026-11-21T01:02:03+00:00").isoformat() == "2026-11-21T01:02:03+00:00"


@pytest.mark.parametrize(
    "part", ["", "yesterday", "2026-11-21T01:02:03", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
def test_a_time_that_no_row_can_have_is_refused(part):
    with pytest.raises(InvalidPageToken):
        read_moment(part)


ROW = (datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC), "0b9f8f9e-64f5-4f8e-9d29-3f4f1a0f7c11")


def test_a_page_is_cut_where_another_row_follows_and_its_token_leads_behind_its_last():
    page, token = cut_page("rows", [ROW, ROW, ROW], 2, lambda row: row)
    assert (page, decode_row_key("rows", token)) == ([ROW, ROW], ROW)
    page, token = cut_page("rows", [5, 6, 7], 2, lambda row: (row,))
    assert (page, decode_number("rows", token, 100)) == ([5, 6], 6)


@pytest.mark.parametrize("rows", [[], [1], [1, 2]])
def test_the_last_page_has_no_token(rows):
    assert cut_page("rows", rows, 2, lambda row: (row,)) == (rows, "")


@pytest.mark.parametrize("key", [("101",), ("-1",), ("1", "2"), ("٣",), ("1" * 5000,), ("",)])
def test_a_number_that_no_row_can_have_is_refused(key):
    with pytest.raises(InvalidPageToken):
        decode_number("rows", encode_page_token("rows", key), 100)


def test_the_first_page_has_no_key():
    assert (decode_row_key("rows", ""), decode_number("rows", "", 1)) == (None, 0)


@pytest.mark.parametrize("key", [("2026-11-21T01:02:03+00:00", "x"), ("2026-11-21T01:02:03+00:00",)])
def test_a_row_key_without_a_row_is_refused(key):
    with pytest.raises(InvalidPageToken):
        decode_row_key("rows", encode_page_token("rows", key))
