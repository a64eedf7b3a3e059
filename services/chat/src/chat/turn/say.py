"""say: what a provider wrote becomes events, in as few messages as keep their order."""

from collections.abc import Awaitable, Callable, Iterable

from chat.model import Event, TextDelta
from chat.turn.draft import Draft
from chat.turn.scan_answer import Marker, Piece, Visible
from chat.turn.verify_citations import CitationVerifier

Send = Callable[[Event], Awaitable[None]]
"""Takes the next event; returns when the client has room for another."""


class Speaker:
    """Sends the pieces of one answer and notes in its draft what it sends."""

    def __init__(self, verifier: CitationVerifier, draft: Draft, send: Send) -> None:
        self._verifier = verifier
        self._draft = draft
        self._send = send

    async def say(self, pieces: Iterable[Piece]) -> None:
        """Sends texts, and each marker with the text before it and its citation behind it."""
        text = ""
        for piece in pieces:
            if isinstance(piece, Visible):
                text += piece.text
                continue
            if not self._verifier.is_ready:  # no text waits for a check
                await self._tell(text)
                text = ""
            await self._cite(piece, f"{text}[{piece.number}]")
            text = ""
        await self._tell(text)

    async def _tell(self, text: str) -> None:
        if text:
            self._draft.add_text(text)
            await self._send(TextDelta(text))

    async def _cite(self, marker: Marker, text: str) -> None:
        """Checks before it sends: a stop in between leaves neither a marker nor a citation alone."""
        citation = await self._verifier.verify(marker.number, marker.quote, self._draft.text + text)
        self._draft.add_marker(text, citation)
        await self._send(TextDelta(text))
        await self._send(citation)
