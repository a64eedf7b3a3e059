"""What embedding a document's chunks takes alone: no parsing, no network, no index."""

import tempfile
import time
from pathlib import Path

from docuchat_client import DocuChat
from retrieval.embedders.minilm import MiniLmEmbedder


async def time_embedding(client: DocuChat, document_id: str) -> float:
    """Returns the seconds that the local model takes for all chunks of a document, loading not included."""
    texts = [chunk.text async for chunk in client.chunks(document_id)]
    with tempfile.TemporaryDirectory() as folder:
        embedder = await MiniLmEmbedder.open(Path(folder))
        try:
            began = time.monotonic()
            await embedder.embed_passages(texts)
            return time.monotonic() - began
        finally:
            await embedder.close()
