"""Mails as messages (RFC 5322), from the texts in `templates`: the first line is the subject, the rest the body."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import cache
from importlib.resources import files
from string import Template

from auth.model.mail import Mail

LANGUAGES = ("en", "fa")


def compose(mail_id: str, mail: Mail, sender: str) -> EmailMessage:
    """Returns the message. Values are put into the body only, as plain text. Raises KeyError without a template."""
    language = choose_language(mail.language)
    subject, body = read_template(language, mail.template)
    message = EmailMessage()
    message["From"] = sender
    message["To"] = mail.recipient
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.now(UTC))
    # The same for each try, so that a mail that did arrive twice can be known for one.
    message["Message-ID"] = f"<{mail_id}@{parseaddr(sender)[1].partition('@')[2] or 'localhost'}>"
    # RFC 3834: no vacation answers, please.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(Template(body).substitute(mail.values))
    # After the content, which begins with new headers of its kind.
    message["Content-Language"] = language
    return message


def choose_language(wanted: str) -> str:
    """Returns the language of a mail for an Accept-Language header, or the first one we have."""
    asked = [part.partition(";")[0].strip().lower().partition("-")[0] for part in wanted.split(",")]
    return next((language for language in asked if language in LANGUAGES), LANGUAGES[0])


@cache
def read_template(language: str, name: str) -> tuple[str, str]:
    """Returns subject and body. Raises KeyError for a name that no file has."""
    file = files("auth.mail") / "templates" / language / f"{name}.txt"
    if not file.is_file():
        raise KeyError(name)
    subject, _, body = file.read_text("utf-8").partition("\n\n")
    return subject.strip(), body
