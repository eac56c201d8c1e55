"""Letters: what people are told of an alert, as the text and the HTML of one mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.adapters.templates import templates
from sluice.domain.alert import Alert

if TYPE_CHECKING:
    from jinja2 import Environment

#: Where a kind's section is, in the project, when nobody said at which address people read it.
RUNBOOK = "docs/operations.md"
#: A subject that is folded begins with a blank for some who filter by it.
UNFOLDED = SMTP.clone(max_line_length=900)


@dataclass(frozen=True)
class Letter:
    """A mail without sender and recipients."""

    subject: str
    text: str
    html: str

    def message(self, sender: str, to: tuple[str, ...]) -> EmailMessage:
        """The mail, with both forms of it as alternatives."""
        message = EmailMessage(policy=UNFOLDED)
        message["Subject"], message["From"], message["To"] = self.subject, sender, ", ".join(to)
        message.set_content(self.text)
        message.add_alternative(self.html, subtype="html")
        return message


def failure(alert: Alert, since: datetime, runbook_url: str = "", times: int = 1) -> Letter:
    """What is said when something is wrong.

    Args:
        alert: What is wrong.
        since: When it was first seen.
        runbook_url: Where people read the runbook; its sections have the kinds' names as anchors.
        times: How often it was seen.
    """
    said = alert.printable()
    return _letter("failure", said.title, alert=said, since=_moment(since), times=times, section=_section(runbook_url))


def recovery(alert: Alert, since: datetime, until: datetime, times: int = 1) -> Letter:
    """What is said when it has healed.

    Args:
        alert: What was wrong.
        since: When it was first seen.
        until: When it was seen to be gone.
        times: How often it was seen.
    """
    said = alert.printable()
    spans = {"since": _moment(since), "until": _moment(until)}
    return _letter("recovery", said.recovery, alert=said, times=times, **spans)


def _letter(template: str, subject: str, **values: Any) -> Letter:
    text, html = (
        _mails().get_template(f"{template}.{ending}.j2").render(subject=subject, **values) for ending in ("txt", "html")
    )
    return Letter(subject, text, html)


def _section(runbook_url: str) -> str:
    return runbook_url.split("#")[0] or RUNBOOK


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


@cache
def _mails() -> Environment:
    return templates(Path(__file__).parent / "mails")
