"""Sending: by which ways a letter reaches those whom an alert concerns."""

from __future__ import annotations

import logging
import smtplib
from dataclasses import dataclass
from email.message import EmailMessage
from typing import TYPE_CHECKING

from sluice import registry
from sluice.adapters.letters import Letter
from sluice.domain.alert import PLATFORM, Alert
from sluice.domain.errors import SpecError
from sluice.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

CONNECTION = "smtp_default"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Route:
    """Who hears of a use case, or of the platform.

    Attributes:
        to: Mail addresses.
        webhooks: Airflow connections of chats and the like, which hear of it beside the mail.
    """

    to: tuple[str, ...]
    webhooks: tuple[str, ...] = ()


def route(use_case: str) -> Route:
    """Who hears of a use case, by its spec; those who run the platform where it has none that can be read."""
    platform = Route((settings().alerts_to,))
    if use_case == PLATFORM:
        return platform
    try:
        owner = registry.read(settings().use_cases / use_case / registry.SPEC_FILE).owner
    except SpecError:
        log.warning("the spec of %s cannot be read; its alerts go to those who run the platform", use_case)
        return platform
    return Route(owner.alerts, owner.webhooks)


def deliver(alert: Alert, letter: Letter) -> None:
    """Mail a letter to those whom an alert concerns.

    Raises:
        Exception: Whatever the mail's connection raises.
    """
    to = route(alert.use_case).to
    mail(letter.message(settings().alerts_from, to), to)


def spread(alert: Alert, letter: Letter) -> None:
    """Tell the chats of those whom an alert concerns; one that fails is in the log, and keeps nothing back."""
    from sluice.orchestration.webhooks import WebhookNotifier

    for connection in route(alert.use_case).webhooks:
        try:
            WebhookNotifier(connection, letter.text)({})
        except Exception:
            log.exception("The webhook %s was not told; the mail does not depend on it.", connection)


def mail(message: EmailMessage, to: Sequence[str]) -> None:
    """Hand a mail to the server that Airflow's connection names.

    Raises:
        Exception: Whatever the connection raises.
    """
    # Local: DAG files are parsed far more often than they fail.
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    class Hook(SmtpHook):
        """Airflow's, which by itself sends no mail with a form in plain text."""

        def hand_over(self) -> None:
            client = self._smtp_client
            if not isinstance(client, smtplib.SMTP):
                raise TypeError(f"the connection {CONNECTION} came without a client")
            client.send_message(message, to_addrs=list(to))

    hook = Hook(smtp_conn_id=CONNECTION)
    with hook:
        hook.hand_over()
