import asyncio
import os
import subprocess
import sys

import pytest
from pydantic import ValidationError

from retrieval.__main__ import COMMANDS
from retrieval.config import EngineSettings, Settings
from retrieval.embedders.gemini import GeminiEmbedder
from retrieval.embedders.minilm import MiniLmEmbedder
from retrieval.embedders.openai import OpenAIEmbedder
from retrieval.engine.server import EngineBusy
from retrieval.errors import IndexUnavailable
from retrieval.indexing.preparation import IndexPreparation
from retrieval.server import check_embedder, connect_index, open_embedder
from retrieval.vectors.edge import EdgeVectorIndex
from retrieval.vectors.generation import Generation
from retrieval.vectors.qdrant import QdrantVectorIndex
from servicekit.program import run_program

DATABASE_URL = "postgresql+asyncpg://docuchat_retrieval:hunter22@db/docuchat"
OUTSIDE_NAMES = ("QDRANT_", "OPENAI_", "GEMINI_", "GOOGLE_", "DOCUCHAT_")


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """A process that was given a database and nothing else."""
    for name in [name for name in os.environ if name.startswith(OUTSIDE_NAMES)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DOCUCHAT_DATABASE_URL", DATABASE_URL)
    monkeypatch.setenv("DOCUCHAT_SERVICE_SECRET", "the secret of retrieval")
    monkeypatch.setenv("DOCUCHAT_DATA_DIR", str(tmp_path))
    return monkeypatch


def make_settings(environment, **values):
    for name, value in values.items():
        environment.setenv(name, value)
    return Settings.model_validate({})


class RisingIndex:
    """An index that comes up after a while."""

    def __init__(self, failures):
        self.failures, self.prepared, self.there = failures, 0, True

    async def prepare(self):
        if self.failures:
            self.failures -= 1
            raise IndexUnavailable
        self.prepared += 1

    async def ping(self):
        if not self.there:
            raise IndexUnavailable
        return "rising 1.0"


async def run_for(preparation, seconds):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(preparation.keep_prepared(), seconds)


async def test_an_index_that_comes_up_late_is_prepared_once_it_is_there():
    index = RisingIndex(failures=2)
    preparation = IndexPreparation(index)
    with pytest.raises(IndexUnavailable):
        await preparation.check()
    await run_for(preparation, 0.6)
    assert index.prepared == 1
    assert await preparation.check() == "rising 1.0"


async def test_an_index_that_was_away_is_prepared_again():
    index = RisingIndex(failures=0)
    preparation = IndexPreparation(index)
    await run_for(preparation, 0.05)
    index.there = False
    with pytest.raises(IndexUnavailable):
        await preparation.check()
    index.there = True
    with pytest.raises(IndexUnavailable):
        await preparation.check()
    await run_for(preparation, 0.05)
    assert index.prepared == 2
    assert await preparation.check() == "rising 1.0"


async def test_the_embedded_engine_is_used_unless_a_qdrant_server_is_named(environment):
    generation = Generation("letters", 26)
    embedded = connect_index(make_settings(environment), generation)
    server = connect_index(make_settings(environment, QDRANT_URL="http://qdrant:6333"), generation)
    assert isinstance(embedded, EdgeVectorIndex)
    assert isinstance(server, QdrantVectorIndex)
    await embedded.close()
    await server.close()


@pytest.mark.parametrize(
    ("values", "kind", "model", "dimensions"),
    [
        ({}, MiniLmEmbedder, "all-MiniLM-L6-v2", 384),
        (
            {"DOCUCHAT_EMBEDDER": "openai", "OPENAI_API_KEY": "sk-test"},
            OpenAIEmbedder,
            "text-embedding-3-small",
            1536,
        ),
        (
            {
                "DOCUCHAT_EMBEDDER": "openai",
                "OPENAI_BASE_URL": "http://ollama:11434/v1",
                "OPENAI_EMBEDDING_MODEL": "bge-m3",
                "DOCUCHAT_EMBEDDING_DIMENSIONS": "1024",
            },
            OpenAIEmbedder,
            "bge-m3",
            1024,
        ),
        (
            {"DOCUCHAT_EMBEDDER": "gemini", "GEMINI_API_KEY": "key"},
            GeminiEmbedder,
            "gemini-embedding-001",
            1536,
        ),
    ],
    ids=["minilm", "openai", "openai-compatible", "gemini"],
)
async def test_the_configured_model_makes_the_embeddings(environment, values, kind, model, dimensions):
    embedder = await open_embedder(make_settings(environment, **values))
    try:
        assert isinstance(embedder, kind)
        assert embedder.dimensions == dimensions
        assert (await check_embedder(embedder)).lower() == model.lower()
    finally:
        await embedder.close()


@pytest.mark.parametrize("embedder", ["openai", "gemini"])
def test_a_hosted_model_without_a_key_is_refused_and_no_secret_is_printed(environment, embedder):
    with pytest.raises(ValidationError, match=r"needs .*_API_KEY") as raised:
        make_settings(environment, DOCUCHAT_EMBEDDER=embedder)
    assert "hunter22" not in str(raised.value)


def test_an_unknown_embedder_is_refused(environment):
    with pytest.raises(ValidationError, match="minilm"):
        make_settings(environment, DOCUCHAT_EMBEDDER="__import__")


def test_keys_are_not_shown_when_settings_are_printed(environment):
    settings = make_settings(environment, OPENAI_API_KEY="sk-canary", QDRANT_API_KEY="qd-canary")
    assert "canary" not in repr(settings)
    assert "hunter22" not in repr(settings)


@pytest.fixture
def started(monkeypatch):
    """What would have been started, by name."""
    calls = []

    def note(name):
        async def run(*arguments):
            calls.append((name, *(type(argument) for argument in arguments)))

        return run

    monkeypatch.setattr("retrieval.server.serve", note("serve"))
    monkeypatch.setattr("retrieval.engine.server.run_engine", note("engine"))
    monkeypatch.setattr("servicekit.migrations.run_migrations", note("migrate"))
    return calls


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], [("serve", Settings)]),
        (["serve"], [("serve", Settings)]),
        (["engine"], [("engine", EngineSettings)]),
        (["migrate"], [("migrate", str, str)]),
    ],
)
def test_the_first_argument_names_the_process(environment, started, arguments, expected):
    environment.setenv("DOCUCHAT_OWNER_DATABASE_URL", DATABASE_URL)
    assert run_program("retrieval", COMMANDS, arguments) == 0
    assert started == expected


def test_the_engine_needs_no_database(environment, started):
    environment.delenv("DOCUCHAT_DATABASE_URL")
    assert run_program("retrieval", COMMANDS, ["engine"]) == 0
    assert started == [("engine", EngineSettings)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["help"], "usage"), (["migrate"], "OWNER_DATABASE_URL"), (["serve", "x"], "usage")],
)
def test_a_wrong_command_ends_with_a_sentence(environment, started, capsys, arguments, message):
    assert run_program("retrieval", COMMANDS, arguments) == 2
    assert message in capsys.readouterr().err
    assert started == []


def test_what_is_missing_is_named(environment, capsys):
    environment.delenv("DOCUCHAT_DATABASE_URL")
    assert run_program("retrieval", COMMANDS, ["check-settings"]) == 2
    assert "DOCUCHAT_DATABASE_URL is not set" in capsys.readouterr().err


def test_a_second_engine_on_the_same_folder_ends_with_a_sentence(environment):
    async def refuse(settings):
        raise EngineBusy("stop the other one first")

    environment.setattr("retrieval.engine.server.run_engine", refuse)
    with pytest.raises(SystemExit, match="stop the other one first"):
        run_program("retrieval", COMMANDS, ["engine"])


IMPORTS = """
import sys
import retrieval.__main__, retrieval.server, retrieval.embedders.minilm
unneeded = {"qdrant_client", "alembic", "openai", "google.genai", "onnx", "opentelemetry.exporter"}
print(sorted(unneeded & set(sys.modules)))
"""


def test_a_start_imports_nothing_that_this_configuration_has_no_use_for():
    """Each of them takes a quarter of a second of processor time or more, which on a busy machine is seconds."""
    found = subprocess.run((sys.executable, "-c", IMPORTS), check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
