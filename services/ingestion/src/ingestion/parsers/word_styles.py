"""What a Word paragraph's style says of it: heading, title or list item."""

import re
from dataclasses import dataclass
from typing import Any

from lxml import etree  # type: ignore[import-untyped]  # ships no types

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
VAL = f"{_W}val"
# Word keeps these names in English whatever the language of its menus.
HEADING_NAME = re.compile(r"heading (\d)$", re.IGNORECASE)
LIST_NAME = re.compile(r"list (?:bullet|number)(?: (\d))?$", re.IGNORECASE)
DEEPEST = 9


@dataclass(frozen=True)
class ParagraphLook:
    """Heading level and list depth count from 1; 0 means that it is none."""

    heading_level: int = 0
    list_depth: int = 0
    is_title: bool = False


class WordStyles:
    """The looks of a document's paragraph styles, inherited ones included."""

    def __init__(self, document: Any) -> None:  # noqa: ANN401 - python-docx is untyped
        elements = {element.get(f"{_W}styleId"): element for element in document.styles.element.iter(f"{_W}style")}
        self._looks = {style_id: _resolve(style_id, elements) for style_id in elements}

    def look_of(self, paragraph: etree._Element) -> ParagraphLook:
        """Returns what a paragraph is; its own settings win over its style's."""
        properties = paragraph.find(f"{_W}pPr")
        if properties is None:
            return ParagraphLook()
        style = properties.find(f"{_W}pStyle")
        look = self._looks.get(style.get(VAL), ParagraphLook()) if style is not None else ParagraphLook()
        level = _outline_level(properties) or look.heading_level
        depth = 0 if level else _list_depth(properties) or look.list_depth
        return ParagraphLook(level, depth, look.is_title)


def _resolve(style_id: str | None, elements: dict[str | None, Any]) -> ParagraphLook:
    seen: set[str | None] = set()
    # A style may be based on itself in a hostile file.
    while style_id in elements and style_id not in seen:
        seen.add(style_id)
        look = _own_look(elements[style_id])
        if look != ParagraphLook():
            return look
        base = elements[style_id].find(f"{_W}basedOn")
        style_id = base.get(VAL) if base is not None else None
    return ParagraphLook()


def _own_look(style: etree._Element) -> ParagraphLook:
    element = style.find(f"{_W}name")
    name = (element.get(VAL) or "") if element is not None else ""
    properties = style.find(f"{_W}pPr")
    heading = HEADING_NAME.match(name)
    level = int(heading.group(1)) if heading else _outline_level(properties)
    listed = LIST_NAME.match(name)
    depth = int(listed.group(1) or 1) if listed else _list_depth(properties)
    return ParagraphLook(level, 0 if level else depth, name.lower() == "title")


def _outline_level(properties: etree._Element | None) -> int:
    value = _number_at(properties, f"{_W}outlineLvl")
    return value + 1 if value is not None and 0 <= value < DEEPEST else 0


def _list_depth(properties: etree._Element | None) -> int:
    if properties is None or _number_at(properties, f"{_W}numPr/{_W}numId") in {None, 0}:
        return 0
    return min(max(_number_at(properties, f"{_W}numPr/{_W}ilvl") or 0, 0), DEEPEST) + 1


def _number_at(properties: etree._Element | None, path: str) -> int | None:
    element = properties.find(path) if properties is not None else None
    value = (element.get(VAL) or "") if element is not None else ""
    return int(value) if value.isdecimal() else None
