"""A real mail server, as far as a test looks into it."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any


class Catcher:
    """A mail server that keeps what it gets."""

    def __init__(self, mails: list[EmailMessage]) -> None:
        self.mails = mails

    # The name and the reply are aiosmtpd's.
    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep a mail."""
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


class Inbox:
    """What a mail server got."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    @property
    def subjects(self) -> list[str]:
        """What the mails are called, in the order in which they came."""
        return [str(mail["subject"]) for mail in self.mails]

    @property
    def mail(self) -> EmailMessage:
        """The only mail."""
        (mail,) = self.mails
        return mail

    @property
    def html(self) -> str:
        """The only mail's page."""
        return self._body("html")

    @property
    def text(self) -> str:
        """The only mail's text, in one line."""
        return re.sub(r"\s+", " ", self._body("plain"))

    def _body(self, kind: str) -> str:
        body = self.mail.get_body((kind,))
        assert body is not None
        content: str = body.get_content()
        return content
