"""From the transaction that causes a mail to the server that takes it: queued, claimed once, tried again, given up."""

import asyncio
import hashlib
import stat
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email import message_from_bytes, policy
from importlib.resources import files

import pytest
from aiosmtpd.smtp import SMTP

from auth.accounts.mailing import LEASE, MAX_ATTEMPTS, MailSender
from auth.mail.folder import FolderMailer
from auth.mail.messages import LANGUAGES, compose
from auth.mail.smtp import SmtpMailer
from auth.model.codes import Code, Tally
from auth.model.mail import ClaimedMail, Mail
from auth.ports.mail import MailNotSent
from auth.security.seal import MailSeal
from auth.stores.codes import PostgresCodeStore, PostgresTallyStore
from auth.stores.outbox import PostgresOutbox

MAIL = Mail("ann@example.com", "log_in_code", "en", {"code": "123456"})
SENDER = "DocuChat <no-reply@docuchat.example>"


def derive(purpose):
    return hashlib.sha256(purpose).digest()


@pytest.fixture
async def database(service_database):
    return (await service_database("auth")).database


@pytest.fixture
def outbox(database):
    return PostgresOutbox(database, MailSeal(derive))


async def put(database, outbox, *mails):
    async with database.transaction() as connection:
        for mail in mails:
            await outbox.put(connection, mail)


@dataclass
class FakeMailer:
    failures: list = field(default_factory=list)
    sent: list = field(default_factory=list)

    async def send(self, mail_id, mail):
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append((mail_id, mail))


async def test_a_mail_is_sent_if_its_cause_is_committed_and_only_then(database, outbox, clock):
    await put(database, outbox, MAIL)

    async def fail():
        async with database.transaction() as connection:
            await outbox.put(connection, replace(MAIL, recipient="bob@example.com"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    mailer = FakeMailer()
    clock.advance(seconds=1)
    await MailSender(outbox, mailer, clock).send_due()
    assert [mail for _, mail in mailer.sent] == [MAIL]


async def test_of_many_senders_at_once_each_mail_has_one(database, outbox, clock):
    await put(database, outbox, *(replace(MAIL, recipient=f"{number}@example.com") for number in range(35)))
    clock.advance(seconds=1)
    mailers = [FakeMailer() for _ in range(4)]
    await asyncio.gather(*(MailSender(outbox, mailer, clock).send_due() for mailer in mailers))
    sent = [mail.recipient for mailer in mailers for _, mail in mailer.sent]
    assert sorted(sent) == sorted(f"{number}@example.com" for number in range(35))
    assert await outbox.claim(clock() + timedelta(days=1), clock(), 10) == []


async def test_a_mail_whose_sender_died_is_sent_by_another_after_its_lease_and_not_before(database, outbox, clock):
    await put(database, outbox, MAIL)
    clock.advance(seconds=1)
    (lost,) = await outbox.claim(clock(), clock() + LEASE, 10)
    assert await outbox.claim(clock(), clock() + LEASE, 10) == []
    clock.now += LEASE
    (held,) = await outbox.claim(clock(), clock() + LEASE, 10)
    assert (held.mail_id, held.attempts) == (lost.mail_id, 2)
    # The first one wakes up, and must not touch what is another's now.
    await outbox.finish(lost)
    await outbox.postpone(lost, clock(), "late")
    clock.now += LEASE
    assert len(await outbox.claim(clock(), clock(), 10)) == 1


async def test_a_mail_that_failed_waits_longer_each_time_and_keeps_its_id(database, outbox, clock):
    await put(database, outbox, MAIL)
    clock.advance(seconds=1)
    mailer = FakeMailer([MailNotSent("busy"), MailNotSent("busy")])
    sender = MailSender(outbox, mailer, clock)
    for pause in (2, 4):
        await sender.send_due()
        clock.advance(seconds=pause - 1)
        await sender.send_due()
        assert mailer.sent == []
        clock.advance(seconds=1)
    await sender.send_due()
    ((mail_id, mail),) = mailer.sent
    assert mail == MAIL
    assert compose(mail_id, mail, SENDER)["message-id"] == f"<{mail_id}@docuchat.example>"


@dataclass
class FakeQueue:
    calls: list = field(default_factory=list)

    async def finish(self, claimed):
        self.calls.append("finish")

    async def postpone(self, claimed, due_time, why):
        self.calls.append("postpone")

    async def bury(self, claimed, now, why):
        self.calls.append(("bury", why))


@pytest.mark.parametrize(
    ("changes", "attempts", "failure", "becomes"),
    [
        ({}, 1, None, "finish"),
        ({"recipient": ""}, 1, MailNotSent("must not be tried", is_final=True), "finish"),
        ({}, MAX_ATTEMPTS - 1, MailNotSent("busy"), "postpone"),
        ({}, MAX_ATTEMPTS, MailNotSent("busy"), ("bury", "busy")),
        ({}, 1, MailNotSent("no such mailbox", is_final=True), ("bury", "no such mailbox")),
        ({"expire_time": "now"}, 1, None, ("bury", "came too late")),
        (None, 1, None, ("bury", "cannot be read with this key")),
    ],
)
async def test_what_becomes_of_a_mail(clock, changes, attempts, failure, becomes):
    if changes and "expire_time" in changes:
        changes = {"expire_time": clock()}
    mail = None if changes is None else replace(MAIL, **changes)
    queue = FakeQueue()
    sender = MailSender(queue, FakeMailer([failure] if failure else []), clock)
    await sender._send(ClaimedMail("id", mail, attempts))
    assert queue.calls == [becomes]


async def test_dead_letters_are_kept_for_a_month_and_never_tried_again(database, outbox, clock):
    await put(database, outbox, MAIL)
    clock.advance(seconds=1)
    mailer = FakeMailer([MailNotSent("no such mailbox", is_final=True)])
    sender = MailSender(outbox, mailer, clock)
    for _ in range(2):
        await sender.send_due()
        clock.advance(days=15)
    assert mailer.sent == []
    await sender.forget_dead()
    assert await count(database, clock) == 1
    clock.advance(days=1)
    await sender.forget_dead()
    assert await count(database, clock) == 0


async def count(database, clock):
    async with database.transaction(mail_due=clock().isoformat()) as connection:
        return (await connection.exec_driver_sql("SELECT count(*) FROM auth.outbox")).scalar_one()


def make_code(expire_time, code_hash="right"):
    return Code("key", code_hash, None, expire_time)


async def test_of_many_who_redeem_a_code_at_once_one_succeeds_and_five_may_try(database, outbox, clock):
    store = PostgresCodeStore(database, outbox)
    await store.replace(make_code(clock() + timedelta(minutes=10)), MAIL)
    tries = []

    async def redeem(code_hash):
        tries.append(code_hash)
        return await store.redeem("key", code_hash, clock())

    assert await asyncio.gather(*(redeem("wrong") for _ in range(20))) == [None] * 20
    async with database.transaction(code_key="key") as connection:
        assert (await connection.exec_driver_sql("SELECT tries FROM auth.codes")).scalar_one() == 5


async def test_a_replaced_code_begins_its_tries_anew_and_the_old_one_is_gone(database, outbox, clock):
    store = PostgresCodeStore(database, outbox)
    for code_hash in ("first", "second"):
        await store.replace(make_code(clock() + timedelta(minutes=10), code_hash), MAIL)
        for _ in range(4):
            await store.redeem("key", "wrong", clock())
    await store.redeem("key", "first", clock())
    async with database.transaction(code_key="key") as connection:
        assert (await connection.exec_driver_sql("SELECT tries FROM auth.codes")).scalar_one() == 5


async def test_expired_codes_and_old_tallies_are_forgotten(database, outbox, clock):
    store, tallies = PostgresCodeStore(database, outbox), PostgresTallyStore(database)
    await store.replace(make_code(clock()), MAIL)
    await tallies.change(["a"], lambda _: [Tally(1, clock())])
    for moment, left in ((clock(), 1), (clock() + timedelta(seconds=1), 0)):
        await store.forget(moment)
        async with database.transaction(expired_at=(clock() + timedelta(days=1)).isoformat()) as connection:
            for table in ("codes", "tallies"):
                rows = (await connection.exec_driver_sql(f"SELECT count(*) FROM auth.{table}")).scalar_one()
                assert rows == left, table


async def test_tallies_are_changed_one_by_one_in_the_order_of_their_keys(database, clock):
    store = PostgresTallyStore(database)

    def add(found):
        return [Tally(tally.taken + number, clock()) for number, tally in enumerate(found, start=1)]

    await asyncio.gather(*(store.change(keys, add) for keys in [["a", "b"], ["b", "a"]] * 10))
    seen = []
    await store.change(["b", "a", "c"], lambda found: seen.extend(found) or found[:0] or [Tally(9, clock())] * 3)
    assert [tally.taken for tally in seen] == [30, 30, 0]


class Inbox:
    """A handler of aiosmtpd: what arrived, and how often what is refused."""

    def __init__(self):
        self.messages = []
        self.answers = []

    async def handle_DATA(self, server, session, envelope):
        if self.answers:
            return self.answers.pop(0)
        self.messages.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
        return "250 OK"


@asynccontextmanager
async def smtp_server(inbox, port=0):
    """Runs aiosmtpd's server in this loop and yields its port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(inbox, loop=loop, hostname="mail.test"), "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def test_a_mail_waits_for_a_server_that_is_down_and_arrives_once(database, outbox, clock):
    inbox = Inbox()
    async with smtp_server(inbox) as port:
        pass
    await put(database, outbox, MAIL)
    clock.advance(seconds=1)
    sender = MailSender(outbox, SmtpMailer(f"smtp://127.0.0.1:{port}", SENDER), clock)
    await sender.send_due()
    inbox.answers = ["451 try again later"]
    async with smtp_server(inbox, port):
        for _ in range(5):
            clock.advance(minutes=1)
            await sender.send_due()
    ((recipients, message),) = inbox.messages
    assert recipients == ["ann@example.com"]
    assert (message["from"], message["to"]) == (SENDER, "ann@example.com")
    assert "123456" in message.get_content()
    assert await count(database, clock) == 0


@pytest.mark.parametrize(("answer", "is_final"), [("451 later", False), ("552 too much", True)])
async def test_a_refusal_for_now_is_told_from_one_for_good(answer, is_final):
    inbox = Inbox()
    inbox.answers = [answer]
    async with smtp_server(inbox) as port:
        with pytest.raises(MailNotSent) as raised:
            await SmtpMailer(f"smtp://127.0.0.1:{port}", SENDER).send("id", MAIL)
    assert raised.value.is_final is is_final
    assert "ann@example.com" not in str(raised.value)


async def test_a_password_does_not_leave_the_machine_in_the_clear(monkeypatch):
    asked = []

    async def send(message, **options):
        asked.append(options["start_tls"])

    monkeypatch.setattr("aiosmtplib.send", send)
    urls = [
        "smtp://me:pw@mail.example:587",
        "smtp://me:pw@127.0.0.1",
        "smtp://mail.example",
        "smtps://me:pw@mail.example",
    ]
    for url in urls:
        await SmtpMailer(url, SENDER).send("id", MAIL)
    assert asked == [True, None, None, False]


async def test_without_a_server_mails_are_files_for_their_owners_eyes(tmp_path):
    mailer = FolderMailer(tmp_path / "mail", SENDER)
    await mailer.send("first", MAIL)
    await mailer.send("second", replace(MAIL, recipient="bob@example.com"))
    paths = sorted((tmp_path / "mail").iterdir())
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600, 0o600]
    assert stat.S_IMODE((tmp_path / "mail").stat().st_mode) == 0o700
    messages = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths]
    assert [message["to"] for message in messages] == ["ann@example.com", "bob@example.com"]
    assert "123456" in messages[0].get_content().splitlines()


async def test_only_the_last_files_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("auth.mail.folder.MAX_FILES", 2)
    mailer = FolderMailer(tmp_path, SENDER)
    for number in range(4):
        await mailer.send(str(number), MAIL)
    assert sorted(path.stem.rpartition("-")[2] for path in tmp_path.glob("*.eml")) == ["2", "3"]


async def test_a_template_that_does_not_exist_is_a_dead_letter_at_once(tmp_path):
    for mailer in (FolderMailer(tmp_path, SENDER), SmtpMailer("smtp://127.0.0.1:1", SENDER)):
        for mail in (
            replace(MAIL, template="none"),
            replace(MAIL, values={}),
            replace(MAIL, recipient="a\r\nBcc: b@c"),
        ):
            with pytest.raises(MailNotSent) as raised:
                await mailer.send("id", mail)
            assert raised.value.is_final


VALUES = {"code": "123456", "tenant_name": "Acme", "token": "shown-once", "expire_date": "2026-01-08"}
TEMPLATES = [file.name.removesuffix(".txt") for file in (files("auth.mail") / "templates" / "en").iterdir()]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_mail_exists_in_every_language_and_shows_no_code_in_its_subject(template, language):
    message = compose("id", Mail("ann@example.com", template, language, VALUES), SENDER)
    assert all(value not in message["subject"] for value in VALUES.values())
    assert message["content-language"] == language
    body = message.get_content()
    assert ("123456" in body.splitlines()) == template.endswith("_code")
    assert "$" not in body


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ("", "en"),
        ("fa", "fa"),
        ("fa-IR,en;q=0.5", "fa"),
        ("de, fa;q=0.8", "fa"),
        ("de", "en"),
        ("../fa", "en"),
        ("EN", "en"),
    ],
)
def test_a_mail_speaks_the_first_language_asked_for_that_it_can(asked, spoken):
    assert compose("id", replace(MAIL, language=asked), SENDER)["content-language"] == spoken


def test_values_are_plain_text_even_where_they_look_like_more():
    mail = replace(MAIL, values={"code": "$code ${code} {{code}} %s"})
    assert "$code ${code} {{code}} %s" in compose("id", mail, SENDER).get_content()
