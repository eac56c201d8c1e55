"""A chat hears what people are told, through Airflow's own notifier interface."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from airflow.sdk import Connection

from sluice.orchestration.webhooks import WebhookNotifier, address


@pytest.fixture
def asked() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """What a server was asked: path and body; it refuses `/no`."""
    seen: list[tuple[str, dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append((self.path, json.loads(self.rfile.read(int(self.headers["content-length"])))))
            self.send_response(404 if self.path == "/no" else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("hook", "no"):
            body = {"conn_type": "http", "host": f"http://127.0.0.1:{server.server_port}/{name}"}
            patch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(body))
        yield seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_posts_the_text(asked: list[tuple[str, dict[str, Any]]]) -> None:
    WebhookNotifier("hook", "Größe <1>\nline two")({})

    assert asked == [("/hook", {"text": "Größe <1>\nline two"})]


def test_an_address_that_refuses_is_an_error(asked: list[tuple[str, dict[str, Any]]]) -> None:
    with pytest.raises(httpx.HTTPStatusError):
        WebhookNotifier("no", "text").notify({})


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"host": "https://chat.test/hooks/x"}, "https://chat.test/hooks/x"),
        ({"host": "chat.test"}, "https://chat.test"),
        ({"host": "chat.test", "schema": "http", "port": 8065}, "http://chat.test:8065"),
        ({"host": "hooks.slack.test/services", "password": "T0/B0/x"}, "https://hooks.slack.test/services/T0/B0/x"),
        ({"host": "chat.test/hooks", "port": 8065}, "https://chat.test:8065/hooks"),
    ],
    ids=["a whole URL", "a host", "schema and port", "as Slack's", "a path and a port"],
)
def test_a_connection_names_an_address(given: dict[str, Any], url: str) -> None:
    assert address(Connection(conn_id="chat", conn_type="http", **given)) == url
