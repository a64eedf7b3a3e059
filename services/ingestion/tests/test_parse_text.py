import io
import zipfile

import pytest

from ingestion.parsers import sandbox
from ingestion.parsers.docx import parse_docx
from ingestion.parsers.limits import ParseLimits
from ingestion.parsers.markdown import parse_markdown
from ingestion.parsers.plain import parse_text
from ingestion.parsers.sandbox import parse_bytes
from ingestion.parsers.sniff import OLE_MAGIC
from ingestion.parsers.wire import decode_result
from ingestion.text import ContentType, FailureReason, ParseFailure, ParseWarning, WarningReason

from .documents import encrypt_pdf, make_docx, make_pdf, replace_part, wrap_body

MARKDOWN = """---
title: "The Manual"
---
# First *part*

Setext [head](https://example.org)
---

```
# no heading
```
## Second
"""


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("naïve\r\nlines\rend".encode(), "naïve\nlines\nend"),
        (b"\xef\xbb\xbfmark", "mark"),
        ("\ufeffسلام".encode("utf-16-le"), "سلام"),
        ("\ufeffhello".encode("utf-16-be"), "hello"),
        ("caf\xe9 au lait".encode("cp1252"), "café au lait"),
        (b"page\x0cbreak\x1bend", "page\nbreakend"),
    ],
)
def test_text_is_decoded_and_put_in_canonical_form(raw, text):
    assert parse_text(raw).text == text


RUSSIAN = "Сегодня утром в городе прошёл сильный дождь, и многие улицы оказались затоплены водой. " * 2
GREEK = (
    "Σήμερα το πρωί σημειώθηκε ισχυρή βροχή στην πόλη και πολλοί δρόμοι πλημμύρισαν. "
    "Οι κάτοικοι αναφέρουν μεγάλες καθυστερήσεις στα λεωφορεία."
)
PERSIAN = "این آیین‌نامه در سال جاری به تصویب رسید و از تاریخ ابلاغ لازم‌الاجرا است. " * 20
POLISH = "Dziś rano w mieście spadł ulewny deszcz i wiele ulic znalazło się pod wodą. " * 4
JAPANESE = "今朝、市内で激しい雨が降り、多くの道路が水につかりました。住民によると、バスは大幅に遅れて運行しています。"
CHINESE = "今天早上城里下了大雨，许多街道被水淹没。居民们反映公交车严重晚点，市政部门承诺解决问题。"
KOREAN = "오늘 아침 도시에 폭우가 내려 많은 거리가 물에 잠겼습니다. 주민들은 버스가 크게 지연되고 있다고 전했습니다."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        (GREEK, "cp1253"),
        (POLISH, "cp1250"),
        (JAPANESE, "cp932"),
        (JAPANESE, "euc_jp"),
        (CHINESE, "gb18030"),
        (KOREAN, "cp949"),
        ("Häuser müssen älter wirken, ohne daß jemand es merkt. " * 9, "cp1252"),
    ],
)
def test_an_older_encoding_is_guessed_and_the_guess_is_told(text, encoding):
    document = parse_text(text.encode(encoding))
    assert document.text == text
    assert document.warnings == (ParseWarning(WarningReason.GUESSED_ENCODING, 1),)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_few_damaged_places_are_replaced_and_counted(encoding):
    raw = bytearray(PERSIAN.encode(encoding))
    damage = b"\xff\xff" if encoding.startswith("utf-8") else b"\x00\xd8"
    for place in (200, 900):
        raw[place : place + 2] = damage
    document = parse_text(bytes(raw))
    (warning,) = document.warnings
    assert (warning.reason, warning.count) == (WarningReason.REPLACED_CHARACTERS, document.text.count("\ufffd"))
    assert 2 <= warning.count <= 8
    assert PERSIAN[:70] in document.text


def test_replacements_that_a_file_holds_itself_are_no_damage():
    assert parse_text("سلام \ufffd".encode()).warnings == ()


def test_markdown_tells_of_damage_too():
    assert parse_markdown(f"# سلام\n\n{PERSIAN}".encode() + b"\xff").warnings != ()


@pytest.mark.parametrize(
    "raw",
    [
        "Привет, мир".encode("cp1251"),
        b"\xff\xfea",
        b"\x81 not western",
        JAPANESE.encode("iso2022_jp"),
        b"words \x1b$)C words",
        bytes(range(128, 256)) * 40,
        ("é" * 9).encode() + b"\xff" * 9,
    ],
)
def test_an_unknown_encoding_is_corrupt(raw):
    with pytest.raises(ParseFailure) as caught:
        parse_text(raw)
    assert caught.value.reason is FailureReason.CORRUPT


def test_markdown_stays_as_written_and_its_headings_are_found():
    document = parse_markdown(MARKDOWN.encode())
    assert document.text == MARKDOWN
    assert document.title == "The Manual"
    assert [(heading.level, heading.title) for heading in document.headings] == [
        (1, "First part"),
        (2, "Setext head"),
        (2, "Second"),
    ]
    starts = [document.text[heading.start_offset :].split("\n")[0] for heading in document.headings]
    assert starts == ["# First *part*", "Setext [head](https://example.org)", "## Second"]


def test_markdown_without_front_matter_is_titled_by_its_first_heading():
    assert parse_markdown(b"Words.\n\n# Head\n").title == "Head"


def test_a_word_document_is_read_in_order():
    raw = make_docx(
        [
            ("Title", "The Report"),
            ("Heading 1", "Findings"),
            ("Normal", "Some words."),
            ("List Bullet", "one"),
            ("List Bullet 2", "two"),
            [["a", "b"], ["c", "d\nd"]],
            ("Heading 2", "Details"),
            ("Normal", "More words."),
        ]
    )
    document = parse_docx(raw)
    assert document.text == (
        "The Report\n\nFindings\n\nSome words.\n\n- one\n  - two\n\na | b\nc | d d\n\nDetails\n\nMore words."
    )
    assert [(h.level, h.title, document.text[h.start_offset :][:8]) for h in document.headings] == [
        (1, "Findings", "Findings"),
        (2, "Details", "Details\n"),
    ]
    assert (document.title, document.page_count, document.pages) == ("The Report", 0, ())


def test_the_title_property_of_a_word_document_comes_first():
    assert parse_docx(make_docx([("Heading 1", "Head")], title="Stored")).title == "Stored"
    assert parse_docx(make_docx([("Heading 1", "Head")])).title == "Head"


def test_footnotes_follow_the_text():
    notes = """<w:footnotes xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">
      <w:footnote w:type="separator"><w:p><w:r><w:t>----</w:t></w:r></w:p></w:footnote>
      <w:footnote><w:p><w:r><w:footnoteRef/><w:t>See page 3.</w:t></w:r></w:p></w:footnote></w:footnotes>"""
    assert parse_docx(make_docx([("Normal", "Words.")], notes=notes)).text == "Words.\n\nSee page 3."


def test_deleted_words_field_codes_and_hidden_fallbacks_are_no_text():
    body = """
      <w:p><w:del><w:r><w:t>gone</w:t></w:r></w:del><w:r><w:instrText>PAGE</w:instrText><w:t>kept</w:t><w:tab/>
      <w:t>too</w:t></w:r></w:p>
      <w:sdt><w:sdtContent><w:p><w:pPr><w:outlineLvl w:val="1"/></w:pPr>
      <w:ins><w:r><w:t>inside</w:t></w:r></w:ins></w:p>
      </w:sdtContent></w:sdt><w:p/>"""
    document = parse_docx(replace_part(make_docx([]), "word/document.xml", wrap_body(body)))
    assert document.text == "kept\ttoo\n\ninside"
    assert [(heading.level, heading.title) for heading in document.headings] == [(2, "inside")]


def test_external_entities_and_their_expansion_are_not_read():
    evil = (
        '<!DOCTYPE x [<!ENTITY file SYSTEM "file:///etc/passwd"><!ENTITY a "lol lol"><!ENTITY b "&a;&a;&a;">]>'
        + wrap_body("<w:p><w:r><w:t>before &file; &b; after</w:t></w:r></w:p>")
    )
    text = parse_docx(replace_part(make_docx([]), "word/document.xml", evil)).text
    assert text.startswith("before")
    assert "root:" not in text
    assert "lol" not in text


@pytest.mark.parametrize(
    "raw", [b"PK\x03\x04 nothing", make_docx([])[:900], replace_part(make_docx([]), "word/document.xml", "<w")]
)
def test_a_damaged_word_document_is_corrupt(raw):
    with pytest.raises(ParseFailure) as caught:
        parse_docx(raw)
    assert caught.value.reason is FailureReason.CORRUPT


@pytest.mark.parametrize("name", ["[Content_Types].xml", "word/document.xml"])
def test_a_locked_word_document_is_encrypted(name):
    raw = bytearray(make_docx([]))
    entry = raw.rindex(name.encode()) - 46
    raw[entry + 8] |= 1
    for locked in (bytes(raw), OLE_MAGIC + bytes(600)):
        with pytest.raises(ParseFailure) as caught:
            parse_docx(locked)
        assert caught.value.reason is FailureReason.ENCRYPTED


def test_a_word_document_that_inflates_without_end_reaches_the_limit(monkeypatch):
    monkeypatch.setattr("ingestion.parsers.docx.MAX_INFLATED_BYTES", 1000)
    with pytest.raises(ParseFailure) as caught:
        parse_docx(make_docx([]))
    assert caught.value.reason is FailureReason.PARSE_LIMIT


def repack(raw, compression):
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(target, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return target.getvalue()


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_word_document_in_a_compression_that_inflates_without_a_bound_is_not_opened(compression):
    with pytest.raises(ParseFailure, match="compressed in a way that Word does not use") as caught:
        parse_docx(repack(make_docx([("Normal", "Words.")]), compression))
    assert caught.value.reason is FailureReason.CORRUPT


def test_a_word_document_may_be_stored_without_compression():
    assert parse_docx(repack(make_docx([("Normal", "Words.")]), zipfile.ZIP_STORED)).text == "Words."


def test_another_kind_of_word_file_is_named_as_such():
    raw = make_docx([("Normal", "Words.")])
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        types = archive.read("[Content_Types].xml").replace(b".document.main+xml", b".template.main+xml")
    with pytest.raises(ParseFailure, match="another kind than") as caught:
        parse_docx(replace_part(raw, "[Content_Types].xml", types))
    assert caught.value.reason is FailureReason.CORRUPT


def test_each_result_becomes_a_report(monkeypatch):
    def report(raw, content_type=ContentType.TEXT):
        return decode_result(sandbox._attempt(raw, content_type, ParseLimits()))

    assert report(b"words")[0].text == "words"
    failure, detail = report(b"")
    assert (failure.reason, detail.split(" at ")[0]) == (FailureReason.EMPTY, "ParseFailure")
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "_parse", lambda *_: (_ for _ in ()).throw(RecursionError))
        assert report(b"words")[0].reason is FailureReason.PARSE_LIMIT
    monkeypatch.setattr(sandbox, "_parse", lambda *_: {}["no such key in this document: secret"])
    failure, detail = report(b"words")
    assert failure.reason is FailureReason.CORRUPT
    assert detail.startswith("KeyError at test_parse_text.py:")
    assert "secret" not in detail


def test_a_style_based_on_itself_ends():
    styles = (
        '<w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:style w:type="paragraph" '
        'w:styleId="A"><w:name w:val="A"/><w:basedOn w:val="A"/></w:style></w:styles>'
    )
    raw = replace_part(make_docx([("Normal", "Words.")]), "word/styles.xml", styles)
    assert parse_docx(raw).text == "Words."


@pytest.mark.parametrize(
    ("raw", "content_type", "expected"),
    [
        (make_pdf([["words"]]), ContentType.PDF, "words"),
        (make_docx([("Normal", "words")]), ContentType.DOCX, "words"),
        (b"# words", ContentType.MARKDOWN, "# words"),
        (b"words", ContentType.TEXT, "words"),
        (make_pdf([[]]), ContentType.PDF, ""),
        (b"--- *** !!!", ContentType.TEXT, ""),
    ],
)
def test_each_type_has_its_parser_and_no_words_are_no_text(raw, content_type, expected):
    assert parse_bytes(raw, content_type, 500).text == expected


def test_an_empty_file_and_a_locked_one_are_told_apart():
    for raw, reason in ((b"", FailureReason.EMPTY), (encrypt_pdf(make_pdf([["a"]]), "pw"), FailureReason.ENCRYPTED)):
        with pytest.raises(ParseFailure) as caught:
            parse_bytes(raw, ContentType.PDF, 500)
        assert caught.value.reason is reason
