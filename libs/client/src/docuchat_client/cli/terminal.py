"""What the commands print: results on stdout, everything else on stderr."""

import json
import unicodedata
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

# They make a name read as another one; isolates and joiners, which right-to-left text needs, stay.
OVERRIDES = {"\u202d", "\u202e"}
ID_HEADINGS = {"id", "conversation"}


class Terminal:
    """Prints for people, or as JSON for programs."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.out = Console(markup=False, highlight=False, emoji=False)
        self.err = Console(stderr=True, markup=False, highlight=False, emoji=False)

    def print_json(self, value: Message | dict[str, Any]) -> None:
        """Prints one object on one line."""
        plain = to_dict(value) if isinstance(value, Message) else value
        self.out.file.write(json.dumps(plain, ensure_ascii=False) + "\n")
        self.out.file.flush()

    def print_line(self, text: str) -> None:
        """Prints text as it is, without breaking lines."""
        self.out.print(Text(show_safely(text)), soft_wrap=True)

    def print_piece(self, text: str) -> None:
        """Prints the next piece of a text that is still coming."""
        self.out.print(Text(show_safely(text)), soft_wrap=True, end="")

    def print_table(self, table: Table) -> None:
        """Prints a table."""
        self.out.print(table)

    def note(self, text: str) -> None:
        """Tells a person something that is no result."""
        if not self.as_json:
            self.err.print(Text(show_safely(text), style="dim"), soft_wrap=True)

    def complain(self, text: str) -> None:
        """Says what went wrong."""
        self.err.print(Text(show_safely(text), style="bold red"), soft_wrap=True)


def to_dict(message: Message) -> dict[str, Any]:
    """Returns a message as the JSON that the gateway would send."""
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)


def make_table(*headings: str, title: str = "") -> Table:
    """Returns an empty table; ids stay on one line, so that they can be copied."""
    table = Table(title=title or None, title_justify="left", header_style="bold", expand=False)
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading in ID_HEADINGS)
    return table


def add_row(table: Table, *cells: object) -> None:
    """Adds a row; cells are text, never markup."""
    table.add_row(*(Text(show_safely(str(cell))) for cell in cells))


def show_safely(text: str) -> str:
    """Returns text that cannot steer a terminal: control characters and bidi overrides are written out."""
    return "".join(character if _is_harmless(character) else _write_out(character) for character in text)


def _is_harmless(character: str) -> bool:
    return character in "\n\t" or (unicodedata.category(character) != "Cc" and character not in OVERRIDES)


def _write_out(character: str) -> str:
    return f"\\u{ord(character):04x}"
