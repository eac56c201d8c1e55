"""The mail catcher: takes every mail it is given, delivers none, shows them all.

`python -m local.inbox <folder> <SMTP port> <HTTP port> [host]` keeps each mail as an .eml file in the folder, and
listens to this machine alone where no host is named.
"""

from __future__ import annotations

import html
import sys
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import uvicorn
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

RECIPIENTS = "X-Sluice-Recipients"
RECEIVED = "X-Sluice-Received"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Inbox</title>
<link rel="icon" href="data:,"><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
article {{ border: 1px solid #ccc; border-radius: 6px; margin: 1rem 0; padding: 0 1rem }}
header {{ color: #555; padding-top: .7rem }} h2 {{ font-size: 1.05rem; margin: .3rem 0 }}
iframe {{ width: 100%; height: 26rem; border: 0; resize: vertical }} pre {{ white-space: pre-wrap }}
</style></head><body><h1>Inbox</h1><p>Mails caught here, which never left this machine: {count}. Reload for news.</p>
{mails}</body></html>"""
MAIL = """<article><header>{received_at} &middot; from {sender} to {to}</header><h2>{subject}</h2>{body}</article>"""


@dataclass(frozen=True)
class Mail:
    """One mail, as a person or a test looks at it."""

    to: tuple[str, ...]
    sender: str
    subject: str
    text: str
    html: str
    received_at: str

    def document(self) -> dict[str, object]:
        """The mail as JSON has it."""
        content = asdict(self)
        return {"to": list(self.to), "from": content.pop("sender"), **{k: v for k, v in content.items() if k != "to"}}


class Mailbox:
    """A folder of mails."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, content: bytes, recipients: list[str], received: datetime) -> None:
        """Keep a mail as it came, headed by who it was for and when it came."""
        head = f"{RECIPIENTS}: {', '.join(recipients)}\r\n{RECEIVED}: {received.isoformat()}\r\n"
        name = f"{received:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}"
        draft = self._folder / f".{name}"
        draft.write_bytes(head.encode() + content)
        draft.rename(self._folder / f"{name}.eml")

    def mails(self) -> list[Mail]:
        """Every mail, in the order in which they came."""
        return [_read(path) for path in sorted(self._folder.glob("*.eml"))]


class Catcher:
    """What the SMTP server does with a mail."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    # The name and the reply are aiosmtpd's.
    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the mail."""
        content = envelope.original_content or b""
        self._mailbox.keep(content, list(envelope.rcpt_tos), datetime.now(UTC))
        return "250 OK"


def site(mailbox: Mailbox) -> Starlette:
    """The inbox on the web: `/` for people, `/messages` for programs."""

    def page(_: Request) -> Response:
        mails = mailbox.mails()
        return HTMLResponse(PAGE.format(count=len(mails), mails="".join(map(_article, reversed(mails)))))

    def messages(_: Request) -> Response:
        return JSONResponse([mail.document() for mail in mailbox.mails()])

    return Starlette(routes=[Route("/", page), Route("/messages", messages)])


def serve(folder: Path, smtp_port: int, http_port: int, host: str = "127.0.0.1") -> None:
    """Catch mails until told to stop."""
    mailbox = Mailbox(folder)
    # No limit that a report with pictures could reach.
    controller = Controller(Catcher(mailbox), hostname=host, port=smtp_port, data_size_limit=64 * 2**20)
    controller.start()
    try:
        uvicorn.run(site(mailbox), host=host, port=http_port, log_level="warning")
    finally:
        controller.stop()


def _read(path: Path) -> Mail:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    return Mail(
        to=tuple(part.strip() for part in message.get(RECIPIENTS, "").split(",") if part.strip()),
        sender=str(message.get("From", "")),
        subject=str(message.get("Subject", "")),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        received_at=str(message.get(RECEIVED, "")),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n") if part else ""


def _article(mail: Mail) -> str:
    # A frame that may run nothing, because the content is whatever was sent; its links open beside it.
    content = html.escape('<base target="_blank">' + mail.html)
    allowed = "allow-popups allow-popups-to-escape-sandbox"
    frame = f'<iframe sandbox="{allowed}" srcdoc="{content}"></iframe>'
    body = frame if mail.html else f"<pre>{html.escape(mail.text)}</pre>"
    shown = {"received_at": mail.received_at[:19], "sender": mail.sender, "to": ", ".join(mail.to)}
    shown |= {"subject": mail.subject}
    return MAIL.format(body=body, **{name: html.escape(value) for name, value in shown.items()})


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:5])
