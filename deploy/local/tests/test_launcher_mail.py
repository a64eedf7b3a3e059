"""The codes of mails that lie in the folder appear where whoever runs the stack looks."""

import asyncio
from email.message import EmailMessage

import pytest

from launcher.mail import announce_mail, describe_mail


def write_mail(folder, name, recipient="ann@example.com", body="Enter:\n\n123456\n\n\u06f1\u06f2\u06f3\n"):
    mail = EmailMessage()
    mail["To"], mail["Subject"] = recipient, "\u06a9\u062f Your code"
    mail.set_content(body)
    draft = folder / f".{name}.new"
    draft.write_bytes(mail.as_bytes())
    draft.replace(folder / f"{name}.eml")


async def test_each_mail_that_comes_is_announced_once_and_those_of_before_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr("launcher.mail.LOOK_SECONDS", 0.01)
    said = asyncio.Queue()
    write_mail(tmp_path, "0")
    watching = asyncio.create_task(announce_mail(tmp_path, said.put_nowait))
    # It has looked once when it begins to wait.
    await asyncio.sleep(0)
    write_mail(tmp_path, "1")
    first = await asyncio.wait_for(said.get(), 5)
    write_mail(tmp_path, "2", "bob@example.com", "No code here.\n")
    second = await asyncio.wait_for(said.get(), 5)
    watching.cancel()
    assert first == "mail to ann@example.com: \u06a9\u062f Your code  123456  (1.eml)"
    assert second == "mail to bob@example.com: \u06a9\u062f Your code  (2.eml)"
    assert said.empty()


@pytest.mark.parametrize("letter", ["\x1b", "\u202e", "\x07"])
def test_an_address_gives_the_terminal_no_orders(tmp_path, letter):
    path = tmp_path / "a.eml"
    path.write_bytes(f"To: a{letter}b@example.com\nSubject: s\n\ntext\n".encode())
    assert letter not in describe_mail(path)
