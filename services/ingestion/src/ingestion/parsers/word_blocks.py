"""The blocks of a Word part in reading order, and the text in them.

They are walked as a tree, because python-docx's paragraph objects take 70 s for a million paragraphs and the walk
takes seconds.
"""

from collections.abc import Iterator

from lxml import etree  # type: ignore[import-untyped]  # ships no types

from ingestion.text import canonicalise

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
PARAGRAPH, TABLE, ALT_CHUNK = f"{_W}p", f"{_W}tbl", f"{_W}altChunk"
TEXT_BOX = f"{_W}txbxContent"
CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
TEXTS = frozenset({f"{_W}t", "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"})
BREAKS = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}
BLOCKS = frozenset({PARAGRAPH, TABLE, ALT_CHUNK})
WRAPPERS = frozenset(f"{_W}{name}" for name in ("sdt", "sdtContent", "ins", "moveTo", "customXml"))
# Properties, what was deleted or moved away, the code of fields, and what old programs show in place of a drawing.
HIDDEN = frozenset(
    {
        *(f"{_W}{name}" for name in ("pPr", "rPr", "del", "moveFrom", "instrText")),
        "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
    }
)
ASIDES = frozenset({TEXT_BOX, CHART})


def walk_blocks(body: etree._Element) -> Iterator[etree._Element]:
    """Yields paragraphs, tables and imported chunks in order, those inside content controls too."""
    stack = [iter(body)]
    while stack:
        for element in stack[-1]:
            if element.tag in BLOCKS:
                yield element
            elif element.tag in WRAPPERS:
                stack.append(iter(element))
                break
        else:
            stack.pop()


def read_text(element: etree._Element, asides: list[etree._Element]) -> str:
    """Returns the visible text below an element, paragraphs inside it on lines of their own.

    Text boxes and charts stand beside it: they are appended to asides.
    """
    parts: list[str] = []
    stack = [iter(element)]
    while stack:
        for child in stack[-1]:
            if child.tag in TEXTS:
                parts.append(child.text or "")
            elif child.tag in BREAKS:
                parts.append(BREAKS[child.tag])
            elif child.tag in ASIDES:
                asides.append(child)
            elif child.tag not in HIDDEN:
                if child.tag == PARAGRAPH and parts:
                    parts.append("\n")
                stack.append(iter(child))
                break
        else:
            stack.pop()
    return canonicalise("".join(parts))


def read_rows(table: etree._Element, asides: list[etree._Element]) -> Iterator[str]:
    """Yields the rows of a table that are not empty as ``a | b | c``."""
    for row in table.iter(f"{_W}tr"):
        cells = [" ".join(read_text(cell, asides).split()) for cell in row.iterchildren(f"{_W}tc")]
        if any(cells):
            yield " | ".join(cells)
