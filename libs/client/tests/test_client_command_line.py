import asyncio
import json
import stat

import pytest
from typer.testing import CliRunner

from docuchat.chat.v1.citation_pb2 import Citation
from docuchat.common.v1 import status_service_pb2
from docuchat.ingestion.v1.document_pb2 import Document
from docuchat_client.cli.app import build_app
from docuchat_client.cli.terminal import show_safely
from servicekit.errors import StorageFull

PASSWORD = "correct horse battery staple"
ANSWER = "مرخصی زایمان ۳۹ هفته است [1]"


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DOCUCHAT_PASSWORD", PASSWORD)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("DOCUCHAT_TOKEN", raising=False)
    return tmp_path / "config" / "docuchat" / "credentials.json"


@pytest.fixture
def docuchat(stack, monkeypatch):
    """Runs a command beside the toy stack."""
    monkeypatch.setenv("DOCUCHAT_URL", f"http://{stack.address}")

    async def invoke(*arguments, **options):
        return await asyncio.to_thread(CliRunner().invoke, build_app(), list(arguments), **options)

    return invoke


@pytest.fixture
def note(tmp_path):
    path = tmp_path / "note.md"
    path.write_text("# Leave\n\n39 weeks.")
    return str(path)


async def log_in(docuchat):
    result = await docuchat("login", "a@example.org")
    assert result.exit_code == 0, result.stderr


async def test_signing_up_stores_tokens_that_only_the_owner_reads(docuchat, home, stack):
    result = await docuchat("sign-up", "a@example.org", "--name", "Ada", "--tenant", "Lumen")
    assert (result.exit_code, result.stdout) == (0, "Welcome, Ada. You own Lumen.\n")
    assert stat.S_IMODE(home.stat().st_mode) == 0o600
    assert list(json.loads(home.read_text())) == [f"http://{stack.address}"]
    assert "Ada <a@example.org>" in (await docuchat("whoami")).stdout


async def test_json_of_a_sign_up_holds_no_tokens(docuchat):
    result = await docuchat("sign-up", "a@example.org", "--json")
    assert json.loads(result.stdout)["user"]["email"] == "a@example.org"
    assert "refresh-" not in result.stdout


async def test_a_wrong_password_exits_with_1_and_the_reason_on_stderr(docuchat, monkeypatch):
    monkeypatch.setenv("DOCUCHAT_PASSWORD", "wrong")
    result = await docuchat("login", "a@example.org")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "The pair does not match. [INVALID_CREDENTIALS" in result.stderr


async def test_a_password_is_asked_for_and_not_shown(docuchat, monkeypatch):
    monkeypatch.delenv("DOCUCHAT_PASSWORD")
    result = await docuchat("login", "a@example.org", "--json", input=f"{PASSWORD}\n")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["logged_in"] is True
    assert PASSWORD not in result.output


async def test_a_command_without_a_log_in_says_how_to_log_in(docuchat):
    result = await docuchat("whoami")
    assert result.exit_code == 1
    assert result.stderr == "You are not logged in. Run `docuchat login` or `docuchat sign-up`. [TOKEN_MISSING]\n"


async def test_a_token_from_the_environment_stands_in_for_a_log_in(docuchat, monkeypatch, stack, home):
    monkeypatch.setenv("DOCUCHAT_TOKEN", stack.account.issue().access_token)
    result = await docuchat("whoami", "--json")
    assert json.loads(result.stdout)["user"]["email"] == "a@example.org"
    assert not home.exists()


async def test_renewed_tokens_are_stored(docuchat, home, stack):
    stack.account.lifetime_seconds = 5
    await log_in(docuchat)
    assert (await docuchat("whoami")).exit_code == 0
    assert "refresh-1" in home.read_text()


async def test_logging_out_forgets_the_tokens(docuchat, home, stack):
    await log_in(docuchat)
    assert (await docuchat("logout")).stdout == "Logged out.\n"
    (entry,) = json.loads(home.read_text()).values()
    assert entry == {"access_token": "", "refresh_token": "", "device_token": "known"}
    assert stack.account.logouts == ["refresh-0"]
    assert json.loads((await docuchat("logout", "--json")).stdout)["logged_in"] is False


async def test_a_device_that_has_logged_in_before_says_so_the_next_time(docuchat, stack):
    for _ in range(2):
        await log_in(docuchat)
        assert (await docuchat("whoami")).exit_code == 0
        await docuchat("logout")
    first, second = [each for each in stack.account.requests if hasattr(each, "device_token")]
    assert (first.device_token, second.device_token) == ("", "known")


async def test_credentials_of_an_earlier_release_are_still_good(docuchat, home, stack):
    home.parent.mkdir(parents=True)
    token = stack.account.issue().access_token
    home.write_text(json.dumps({f"http://{stack.address}": {"access_token": token, "refresh_token": "r"}}))
    assert (await docuchat("whoami")).exit_code == 0


async def test_a_code_from_a_mail_logs_in_without_a_password(docuchat, monkeypatch, stack):
    monkeypatch.delenv("DOCUCHAT_PASSWORD")
    result = await docuchat("login", "a@example.org", "--code", input="123456\n")
    # The runner writes down what is typed, as a terminal does.
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, f"Logged in to http://{stack.address}.")
    assert "Ada <a@example.org>" in (await docuchat("whoami")).stdout
    wrong = await docuchat("login", "a@example.org", "--code", input="000000\n")
    assert wrong.exit_code == 1
    assert "INVALID_CODE" in wrong.stderr


async def test_an_address_is_verified_and_a_password_set_with_a_code(docuchat, monkeypatch, stack):
    monkeypatch.setenv("DOCUCHAT_NEW_PASSWORD", "a new one")
    await log_in(docuchat)
    assert (await docuchat("verify-email", input="123456\n")).stdout.endswith("a@example.org is verified.\n")
    assert (await docuchat("reset-password", "a@example.org", input="123456\n")).exit_code == 0
    assert stack.account.requests[-1].new_password == "a new one"
    changed = await docuchat("change-password", "--json")
    assert json.loads(changed.stdout) == {"changed": True}
    assert stack.account.requests[-1].current_password == PASSWORD
    assert "a new one" not in changed.output


async def test_sessions_are_shown_without_what_orders_the_terminal_and_ended(docuchat, stack):
    await log_in(docuchat)
    shown = (await docuchat("sessions")).stdout
    assert "laptop" in shown
    assert "\x1b" not in shown
    theirs = json.loads((await docuchat("sessions", "--json")).stdout)["sessions"][1]["session_id"]
    assert (await docuchat("end-session", theirs)).stdout == "Ended: 1.\n"
    assert "SESSION_NOT_FOUND" in (await docuchat("end-session", theirs)).stderr
    assert json.loads((await docuchat("end-session", "--others", "--json")).stdout) == {"ended": 0}
    for arguments in ([], [theirs, "--others"]):
        assert (await docuchat("end-session", *arguments)).exit_code == 2
    await docuchat("logout", "--everywhere")
    assert stack.account.requests[-1].is_everywhere


@pytest.mark.parametrize("content", ["not json", "[]", '{"http://x": {}}', '{"http://x": 1}'])
async def test_a_damaged_credentials_file_is_named(docuchat, home, content):
    home.parent.mkdir(parents=True)
    home.write_text(content)
    result = await docuchat("whoami")
    assert result.exit_code == 1
    assert str(home) in result.stderr


async def test_an_upload_ends_with_a_table_of_ready_documents(docuchat, note):
    await log_in(docuchat)
    result = await docuchat("upload", note, note)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("READY") == 2


async def test_an_upload_may_return_before_the_document_is_ready(docuchat, note):
    await log_in(docuchat)
    result = await docuchat("upload", note, "--no-wait", "--json")
    assert [row["state"] for row in json.loads(result.stdout)["documents"]] == ["UPLOADED"]


async def test_one_bad_file_does_not_stop_the_others(docuchat, note, tmp_path):
    await log_in(docuchat)
    empty = tmp_path / "empty.md"
    empty.touch()
    result = await docuchat("upload", str(empty), note, "--json")
    assert result.exit_code == 1
    assert "empty.md: The file has no bytes. [EMPTY" in result.stderr
    assert [row["state"] for row in json.loads(result.stdout)["documents"]] == ["READY"]


async def test_a_stored_document_that_cannot_be_used_is_shown_with_its_id(docuchat, note, stack):
    stack.library.end = {"state": Document.FAILED, "state_reason": "CORRUPT", "state_message": "Damaged."}
    await log_in(docuchat)
    result = await docuchat("upload", note)
    assert result.exit_code == 1
    assert "00000000-0000-4000-8000-000000000000" in result.stdout
    assert "FAILED CORRUPT" in result.stdout
    assert result.stderr == "a.md: Damaged. [CORRUPT]\n"


async def test_a_document_that_is_late_is_shown_with_its_id(docuchat, note, stack):
    stack.library.end = {"state": Document.INDEXING}
    await log_in(docuchat)
    result = await docuchat("upload", note, "--limit", "0.01", "--json")
    assert result.exit_code == 1
    [document] = json.loads(result.stdout)["documents"]
    assert document["document_id"] == "00000000-0000-4000-8000-000000000000"
    assert "[NOT_READY_IN_TIME]" in result.stderr


async def test_a_missing_file_is_wrong_usage(docuchat):
    assert (await docuchat("upload", "/nowhere/none.md")).exit_code == 2
    assert (await docuchat("ask")).exit_code == 2


async def test_documents_are_listed_shown_and_deleted(docuchat, note):
    await log_in(docuchat)
    assert "No documents yet" in (await docuchat("documents", "list")).stderr
    for _ in range(3):
        await docuchat("upload", note)
    rows = json.loads((await docuchat("documents", "list", "--limit", "3", "--json")).stdout)["documents"]
    assert len(rows) == 3
    number = rows[0]["document_id"]
    assert "READY" in (await docuchat("documents", "get", number)).stdout
    assert json.loads((await docuchat("documents", "get", number, "--json")).stdout)["document_id"] == number
    assert (await docuchat("documents", "delete", number)).stdout == f"Deleted {number}.\n"
    assert (await docuchat("documents", "delete", number)).exit_code == 1
    result = await docuchat("documents", "delete", rows[1]["document_id"], "--json")
    assert json.loads(result.stdout) == {"deleted": rows[1]["document_id"]}


async def test_a_name_cannot_steer_the_terminal(docuchat, note):
    await log_in(docuchat)
    await docuchat("upload", note)
    shown = (await docuchat("documents", "list")).stdout
    assert "\x1b[31m" not in shown
    assert "\\u202ea\\u001b[31m.md" in shown


def test_right_to_left_text_is_left_as_it_is():
    assert show_safely("می‌خواهم \u2067۳۹\u2069") == "می‌خواهم \u2067۳۹\u2069"


async def test_search_prints_passages(docuchat):
    await log_in(docuchat)
    assert "39 weeks of leave" in (await docuchat("search", "leave")).stdout
    assert json.loads((await docuchat("search", "leave", "--json")).stdout)["hits"][0]["page_start"] == 2
    assert "Nothing fits." in (await docuchat("search", "no")).stderr


async def test_an_answer_is_printed_whole_with_its_sources(docuchat):
    await log_in(docuchat)
    result = await docuchat("ask", "چند هفته؟")
    assert result.exit_code == 0, result.stderr
    assert ANSWER in result.stdout
    row = next(line for line in result.stdout.splitlines() if "EXACT" in line)
    assert "[1]" in row
    assert "۳۹ هفته" in row
    assert "first text after 12 ms" in result.stderr


async def test_json_of_an_answer_is_one_line_an_event_and_nothing_else(docuchat):
    await log_in(docuchat)
    result = await docuchat("ask", "چند هفته؟", "--json")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["sequence"] for event in events] == list(range(1, 10))
    assert events[-2]["citation"]["check"] == "EXACT"
    assert "completed" in events[-1]


@pytest.mark.parametrize(("question", "reason"), [("broken", "PROVIDER_UNAVAILABLE"), ("cut off", "ANSWER_CUT_OFF")])
async def test_an_answer_that_does_not_complete_exits_with_1(docuchat, question, reason):
    await log_in(docuchat)
    result = await docuchat("ask", question)
    assert result.exit_code == 1
    assert reason in result.stderr


async def test_conversations_are_listed_and_shown(docuchat):
    await log_in(docuchat)
    number = "0b9f8f9e-64f5-4f8e-9d29-3f4f1a0f7c11"
    assert number in (await docuchat("conversations")).stdout
    assert json.loads((await docuchat("conversations", "--json")).stdout)["conversations"][0]["title"] == "Leave?"
    assert "user: Leave?" in (await docuchat("conversations", number)).stdout
    assert json.loads((await docuchat("conversations", number, "--json")).stdout)["messages"][0]["role"] == "USER"


async def test_status_fails_when_a_part_does_not_serve(docuchat, stack):
    assert (await docuchat("status")).exit_code == 0
    stack.talk.state = status_service_pb2.NOT_SERVING
    result = await docuchat("status", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["components"][0]["state"] == "NOT_SERVING"


async def test_the_demo_uploads_two_documents_and_asks_two_questions(docuchat, stack, home):
    result = await docuchat("demo")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count(ANSWER) == 2
    assert len(stack.library.kept) == 2
    assert not home.exists()
    lines = (await docuchat("demo", "--json")).stdout.splitlines()
    assert [key for line in lines[:2] for key in json.loads(line)] == ["document", "document"]


async def test_the_demo_says_plainly_that_no_gateway_answers(docuchat, monkeypatch):
    monkeypatch.setenv("DOCUCHAT_URL", "http://127.0.0.1:1")
    result = await docuchat("demo")
    assert result.exit_code == 1
    assert "Nothing answers at http://127.0.0.1:1. Start the stack with `make run`" in result.stderr


async def test_a_gateway_address_that_is_none_is_named(docuchat, monkeypatch):
    monkeypatch.setenv("DOCUCHAT_URL", "gopher://x")
    assert "no gateway address" in (await docuchat("status")).stderr


async def test_an_answer_that_came_too_early_says_that_documents_are_still_being_processed(docuchat, stack):
    stack.talk.documents_in_progress = 2
    await log_in(docuchat)
    result = await docuchat("ask", "Leave?")
    assert "Documents still being processed: 2. Ask again afterwards" in result.stderr


@pytest.mark.parametrize(("check", "shown"), [(Citation.SOURCE_DELETED, ["(deleted)", "SOURCE_DELETED"]), (77, ["77"])])
async def test_a_citation_without_a_source_or_of_a_newer_server_is_shown_as_such(docuchat, stack, check, shown):
    stack.talk.check = check
    await log_in(docuchat)
    result = await docuchat("ask", "Leave?")
    assert result.exit_code == 0, result.stderr
    assert all(word in result.stdout for word in shown)


async def test_a_full_disk_and_too_many_calls_are_said_with_the_time_to_come_back(docuchat, stack, note):
    await log_in(docuchat)
    stack.library.full = StorageFull("objects")
    result = await docuchat("upload", note)
    assert (result.exit_code, "Try again in 30 s. [STORAGE_FULL" in result.stderr) == (1, True)
