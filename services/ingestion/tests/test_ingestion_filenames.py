"""File names as people see them."""

import pytest

from ingestion.convert import content_headers
from ingestion.pipeline.filenames import clean_filename


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("paper.pdf", "paper.pdf"),
        ("../../etc/passwd.txt", "passwd.txt"),
        ("/absolute/note.txt", "note.txt"),
        ("C:\\temp\\note.txt", "note.txt"),
        ("a\x00b\x1b[31m\x7f.txt", "ab[31m.txt"),
        ("line\nbreak\t.txt", "line break .txt"),
        ("photo\u202etxt.exe.txt", "phototxt.exe.txt"),
        ("سند\u200cها.md", "سند\u200cها.md"),
        ("", ""),
        ("..", ""),
        ("folder/", ""),
        (" \u2066\u2069 ", ""),
        ("é" * 300 + ".txt", "é" * 251 + ".txt"),
        ("x" * 300, "x" * 255),
        ("x." + "y" * 300, "x." + "y" * 253),
    ],
)
def test_a_filename_is_cleaned_of_what_could_harm(sent, shown):
    assert clean_filename(sent) == shown


def test_a_download_is_an_attachment_whatever_its_name_holds():
    headers = dict(content_headers('a"; filename=b.html\\ سند.pdf'))
    disposition = headers["content-disposition"]
    assert disposition.startswith("attachment; filename=\"a_; filename=b.html_ ___.pdf\"; filename*=UTF-8''a%22%3B%20")
    assert disposition.isascii()
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
