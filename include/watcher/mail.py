"""Mail: to whom a letter goes, and by which server, without Airflow."""

from __future__ import annotations

import logging
import smtplib
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from sluice import registry
from sluice.adapters.letters import Letter
from sluice.domain.alert import PLATFORM, Alert
from sluice.domain.errors import SpecError

PATIENCE = 20.0
"""Seconds that the server may take for one answer."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Server:
    """A mail server, as the address of Airflow's connection describes it: encrypted, unless it says otherwise."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    ssl: bool = True
    starttls: bool = True

    @classmethod
    def at(cls, url: str) -> Server:
        """The server of an address such as `smtp://user:password@host:587/?disable_ssl=true`."""
        parts = urlsplit(url)
        options = {name: values[-1].lower() in ("true", "1", "yes") for name, values in parse_qs(parts.query).items()}
        encrypted = not options.get("disable_ssl", False)
        return cls(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or (465 if encrypted else 25),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            ssl=encrypted,
            starttls=not options.get("disable_tls", False),
        )

    def connect(self) -> smtplib.SMTP:
        """A session, signed in.

        Raises:
            OSError: The server does not answer, or not as it must; smtplib's errors are of this kind.
        """
        context = ssl.create_default_context() if self.ssl or self.starttls else None
        if self.ssl and context:
            session: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=PATIENCE, context=context)
        else:
            session = smtplib.SMTP(self.host, self.port, timeout=PATIENCE)
        try:
            if self.starttls and not self.ssl:
                session.starttls(context=context)
            if self.user:
                session.login(self.user, self.password)
        except BaseException:
            session.close()
            raise
        return session


@dataclass(frozen=True)
class Postman:
    """Brings letters to whom they concern.

    Attributes:
        server: By which they go.
        sender: Who writes.
        platform: Who hears of what no use case owns.
        use_cases: The folder whose specs say who hears of a use case.
    """

    server: Server
    sender: str
    platform: str
    use_cases: Path

    def deliver(self, alert: Alert, letter: Letter) -> None:
        """Send a letter about an alert.

        Raises:
            OSError: Nobody got it.
        """
        to = self.route(alert.use_case)
        with self.server.connect() as session:
            session.send_message(letter.message(self.sender, to), to_addrs=list(to))
        log.info("mailed %s: %s", ", ".join(to), letter.subject)

    def route(self, use_case: str) -> tuple[str, ...]:
        """Who hears of a use case, by its spec; those who run the platform where it has none that can be read."""
        if use_case == PLATFORM:
            return (self.platform,)
        try:
            return registry.read(self.use_cases / use_case / registry.SPEC_FILE).owner.alerts
        except SpecError:
            log.warning("the spec of %s cannot be read; its alerts go to those who run the platform", use_case)
            return (self.platform,)
