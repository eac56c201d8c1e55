"""Webhooks: a chat, or whatever else takes a message by HTTP, as one of Airflow's notifiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook, BaseNotifier

if TYPE_CHECKING:
    from airflow.sdk import Connection, Context

#: Seconds until an address that does not answer is given up.
PATIENCE = 10.0


class WebhookNotifier(BaseNotifier):
    """Posts `{"text": ...}`, which Slack, Mattermost, Rocket.Chat and many others take.

    Args:
        connection: The Airflow connection with the address: its host is a whole URL, or it is put together of schema
            (https where there is none), host and port. A password is added as the path's end, as Slack's are.
        text: What is said.
    """

    template_fields: Sequence[str] = ("text",)

    def __init__(self, connection: str, text: str) -> None:
        super().__init__()
        self.connection = connection
        self.text = text

    def notify(self, context: Context) -> None:
        """Post the text.

        Raises:
            httpx.HTTPError: The address does not answer, or with a refusal.
        """
        # Local: DAG files are parsed far more often than they fail.
        import httpx

        answer = httpx.post(
            address(BaseHook.get_connection(self.connection)), json={"text": self.text}, timeout=PATIENCE
        )
        answer.raise_for_status()


def address(connection: Connection) -> str:
    """The URL that a connection names."""
    host = (connection.host or "").rstrip("/")
    if "://" not in host:
        port = f":{connection.port}" if connection.port else ""
        host, _, path = host.partition("/")
        host = f"{connection.schema or 'https'}://{host}{port}" + (f"/{path}" if path else "")
    return f"{host}/{connection.password}" if connection.password else host
