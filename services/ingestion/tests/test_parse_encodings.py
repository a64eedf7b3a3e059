import pytest

from ingestion.parsers.markdown import parse_markdown
from ingestion.parsers.plain import parse_text
from ingestion.text import FailureReason, ParseFailure, ParseWarning, WarningReason


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
