"""Cuts a document into chunks of limited size that overlap and know where they stand.

Section -> paragraph -> sentence -> piece: a boundary of a higher kind is preferred as long as the
chunk is reasonably full. Every sentence is counted once and every chunk once, so time is linear.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from ingestion.model import ChunkedText
from ingestion.pipeline.atoms import LONGEST_CHUNK, Atom, cut_atoms
from ingestion.pipeline.sections import Section, common_path, divide, group_sections
from ingestion.ports import Tokenizer
from ingestion.text import Chunk, ParsedDocument
from language.detection import detect_language
from language.spans import Span

SMALLEST_SIZE = 16
TITLE_CHARACTERS = 1000
# How full a chunk must be to end at a new section, or at a new paragraph, before it is full.
FULL_FOR_SECTION = 0.3
FULL_FOR_PARAGRAPH = 0.6


def chunk_document(document: ParsedDocument, tokenizer: Tokenizer, size: int = 400, overlap: int = 40) -> list[Chunk]:
    """Returns the document's chunks: at most ``size`` tokens each, all non-blank text in at least one.

    A chunk repeats up to ``overlap`` tokens of the one before it in the same section, from the start
    of a sentence or word. Takes seconds for megabytes: call it off the event loop. Raises ValueError
    for a size under 16 or an overlap over half the size.
    """
    if size < SMALLEST_SIZE or not 0 <= overlap <= size // 2:
        raise ValueError("size must be at least 16 and overlap at most half of it")
    sections = divide(document)
    atoms = [cut_atoms(document.text, section, number, tokenizer, size) for number, section in enumerate(sections)]
    totals = [sum(atom.tokens for atom in members) for members in atoms]
    packer = _Packer(document.text, tokenizer, size, overlap)
    spans = (
        packed
        for group in group_sections(sections, totals, size)
        for packed in packer.pack([atom for number in group for atom in atoms[number]])
    )
    describer = _Describer(document, sections, atoms)
    return [describer.describe(index, *span) for index, span in enumerate(spans)]


def cut_text(document: ParsedDocument, filename: str, *, tokenizer: Tokenizer, size: int, overlap: int) -> ChunkedText:
    """Returns the document with its chunks of at most `size` tokens; no chunks if its text is blank."""
    blank = not document.text.strip()
    chunks = [] if blank else chunk_document(document, tokenizer, size=size, overlap=overlap)
    return ChunkedText(
        document=document,
        chunks=tuple(chunks),
        title=(document.title.strip() or filename)[:TITLE_CHARACTERS],
        language="" if blank else detect_language(document.text),
        token_count=0 if blank else tokenizer.count(document.text),
    )


class _Packer:
    """Packs the atoms of a group of sections into spans."""

    def __init__(self, text: str, tokenizer: Tokenizer, size: int, overlap: int) -> None:
        self._text = text
        self._tokenizer = tokenizer
        self._size = size
        self._overlap = overlap

    def pack(self, atoms: Sequence[Atom]) -> Iterator[tuple[int, int, int, range]]:
        """Yields start, end, token count and the section numbers of each chunk."""
        first, lead, lead_tokens = 0, None, 0
        while first < len(atoms):
            start = atoms[first].start if lead is None else lead
            after = self._fill(atoms, first, start, lead_tokens)
            start, after, tokens = self._settle(atoms, first, start, after)
            yield start, atoms[after - 1].end, tokens, range(atoms[first].section, atoms[after - 1].section + 1)
            if after < len(atoms):
                lead, lead_tokens = self._find_lead(atoms, first, after)
            first = after

    def _fill(self, atoms: Sequence[Atom], first: int, start: int, lead_tokens: int) -> int:
        """Returns the index after the last atom that the chunk takes."""
        total, after = lead_tokens, first
        best: dict[bool, int] = {}
        while after < len(atoms) and self._fits(atoms[after], total, start, is_first=after == first):
            total += atoms[after].tokens
            after += 1
            kind = _boundary(atoms, after) if after < len(atoms) else None
            if kind is not None and total >= self._size * (FULL_FOR_SECTION if kind else FULL_FOR_PARAGRAPH):
                best[kind] = after
        if after < len(atoms):
            after = best.get(True, best.get(False, after))
        return _without_last_heading(atoms, first, after)

    def _fits(self, atom: Atom, total: int, start: int, *, is_first: bool) -> bool:
        return is_first or (total + atom.tokens <= self._size and atom.end - start <= LONGEST_CHUNK)

    def _settle(self, atoms: Sequence[Atom], first: int, start: int, after: int) -> tuple[int, int, int]:
        """Returns start, index and exact token count, after giving up what does not fit after all.

        Counts of parts do not quite add up to the count of the whole.
        """
        while True:
            end = atoms[after - 1].end
            tokens = self._tokenizer.count(self._text[start:end]) if end - start <= LONGEST_CHUNK else self._size + 1
            if tokens <= self._size or (after == first + 1 and start == atoms[first].start):
                return start, after, tokens
            if after > first + 1:
                after -= 1
            else:
                start = atoms[first].start

    def _find_lead(self, atoms: Sequence[Atom], first: int, after: int) -> tuple[int | None, int]:
        """Returns where the next chunk's overlap begins and its tokens; None after the end of a section."""
        last, following = atoms[after - 1], atoms[after]
        budget = min(self._overlap, self._size - following.tokens - 1)
        if last.section != following.section or budget < 1:
            return None, 0
        index, total = after, 0
        while index - 1 > first and total + atoms[index - 1].tokens <= budget:
            index -= 1
            total += atoms[index].tokens
        if total:
            return atoms[index].start, total
        return self._find_tail(last, budget)

    def _find_tail(self, atom: Atom, budget: int) -> tuple[int | None, int]:
        """Returns the last words of an atom that has more tokens than the overlap may have."""
        characters = (atom.end - atom.start) * budget // max(1, atom.tokens)
        while characters > 0:
            cut = self._text.find(" ", atom.end - characters, atom.end) + 1
            tokens = self._tokenizer.count(self._text[cut : atom.end]) if cut else budget + 1
            if cut and tokens <= budget:
                return cut, tokens
            characters //= 2
        return None, 0


def _boundary(atoms: Sequence[Atom], index: int) -> bool | None:
    """Returns True if a section begins at an atom, False if only a paragraph does, else None."""
    if atoms[index].section != atoms[index - 1].section:
        return True
    return False if atoms[index].opens_paragraph else None


def _without_last_heading(atoms: Sequence[Atom], first: int, after: int) -> int:
    """Returns ``after``, or one less where a chunk would end in the heading of what follows it."""
    if first + 1 < after < len(atoms):
        last = atoms[after - 1]
        opens_section = last.section != atoms[after - 2].section
        return after - 1 if opens_section and last.section == atoms[after].section else after
    return after


class _Describer:
    """Gives a span its pages and its heading path."""

    def __init__(self, document: ParsedDocument, sections: Sequence[Section], atoms: Sequence[Sequence[Atom]]) -> None:
        self._text = document.text
        self._page_starts = [page.start_offset for page in document.pages]
        self._page_numbers = [page.number for page in document.pages]
        self._paths = [_own_path(section, members) for section, members in zip(sections, atoms, strict=True)]
        self._all_paths = [section.path for section in sections]

    def describe(self, index: int, start: int, end: int, tokens: int, sections: range) -> Chunk:
        """Returns the chunk of a span."""
        first, last = self._find_pages(Span(start, end))
        return Chunk(
            chunk_index=index,
            text=self._text[start:end],
            start_offset=start,
            end_offset=end,
            page_start=self._page_numbers[first] if self._page_numbers else 0,
            page_end=self._page_numbers[last] if self._page_numbers else 0,
            token_count=tokens,
            heading_path=self._find_path(sections),
            page_break_offsets=tuple(self._page_starts[first + 1 : last + 1]),
        )

    def _find_pages(self, span: Span) -> tuple[int, int]:
        start, end = span
        return bisect_right(self._page_starts, start) - 1, bisect_right(self._page_starts, end - 1) - 1

    def _find_path(self, sections: range) -> tuple[str, ...]:
        # A bare heading above its first subsection says less of the text than the subsection's.
        telling = [path for number in sections if (path := self._paths[number])]
        return common_path(telling or [self._all_paths[number] for number in sections])


def _own_path(section: Section, atoms: Sequence[Atom]) -> tuple[str, ...]:
    """Returns a section's path, or nothing for a section that is only its heading."""
    if not section.path or not atoms:
        return ()
    return section.path if atoms[-1].end - atoms[0].start > len(section.path[-1]) + 10 else ()
