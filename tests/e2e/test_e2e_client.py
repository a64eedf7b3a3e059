"""The SDK and the command line against the real gateway."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from docuchat_client import DocuChat, DocuChatError
from tests.accounts import PASSWORD, sign_token
from tests.conftest import LIGHTHOUSE
from tests.documents import make_pdf

COMMAND = Path(sys.executable).with_name("docuchat")
COMMAND_SECONDS = 90


@pytest.fixture
def docuchat(stack, tmp_path):
    """Runs a command as a user's shell does."""
    own = {"DOCUCHAT_URL": stack.url, "XDG_CONFIG_HOME": str(tmp_path), "DOCUCHAT_PASSWORD": PASSWORD}
    environment = {"PATH": os.environ["PATH"], "COLUMNS": "160", **own}

    def run(*arguments):
        command = [str(COMMAND), *arguments]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )

    return run


def test_the_demo_goes_from_nothing_to_cited_answers(docuchat):
    done = docuchat("demo")
    assert done.returncode == 0, done.stderr
    assert "27 days of paid leave" in done.stdout
    assert "۳۹ هفته" in done.stdout
    assert done.stdout.count("EXACT") >= 2


def test_a_file_is_uploaded_and_asked_from_the_command_line(docuchat, user, tmp_path):
    path = tmp_path / "lighthouse.pdf"
    path.write_bytes(make_pdf(*LIGHTHOUSE))
    assert docuchat("login", user.email).returncode == 0
    uploaded = docuchat("upload", str(path), "--json")
    assert uploaded.returncode == 0, uploaded.stderr
    (document,) = json.loads(uploaded.stdout)["documents"]
    assert (document["state"], document["page_count"]) == ("READY", 2)
    asked = docuchat("ask", "Who built the lighthouse of Norwick?", "--json")
    events = [json.loads(line) for line in asked.stdout.splitlines()]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    (citation, *_) = [event["citation"] for event in events if "citation" in event]
    assert citation["quote"] == user.text(document["document_id"])[citation["start_offset"] : citation["end_offset"]]


def test_a_refused_file_exits_with_1_and_the_reason(docuchat, user, tmp_path):
    path = tmp_path / "tool.bin"
    path.write_bytes(b"\x7fELF" + bytes(99))
    docuchat("login", user.email)
    done = docuchat("upload", str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "UNSUPPORTED_TYPE" in done.stderr


async def test_the_sdk_renews_a_token_that_expired(stack, user):
    past = int(time.time()) - 3600
    expired = sign_token(stack, user.token, iat=past, nbf=past, exp=past + 900)
    async with DocuChat.connect(stack.url, access_token=expired, refresh_token=user.refresh_token) as client:
        assert (await client.me()).user.user_id == user.user_id
        assert client.session.tokens.access_token != expired


async def test_the_sdk_tells_an_expired_token_that_cannot_be_renewed(stack, user):
    past = int(time.time()) - 3600
    expired = sign_token(stack, user.token, iat=past, nbf=past, exp=past + 900)
    async with DocuChat.connect(stack.url, access_token=expired) as client:
        with pytest.raises(DocuChatError, match="TOKEN_EXPIRED") as caught:
            await client.me()
    assert caught.value.metadata["request_id"]


async def test_the_sdk_streams_text_content_and_chunks(stack, owner, lighthouse):
    number = lighthouse["document_id"]
    async with DocuChat.connect(stack.url, access_token=owner.token) as client:
        text = await client.text(number)
        assert text == owner.text(number)
        assert [chunk.text async for chunk in client.chunks(number)] == [row["text"] for row in owner.chunks(number)]
        content = b"".join([piece async for piece in client.content(number)])
    assert content == make_pdf(*LIGHTHOUSE)
