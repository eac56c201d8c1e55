"""A server that answers what a test tells it to, and Airflow's client for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from local.runs import Airflow


class Script:
    """What the server answers, by path: a document, or a function of the query; and what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, list[str]]]] = []

    def answer(self, target: str) -> tuple[int, Any]:
        """Status and document for a request's target."""
        parts = urlsplit(target)
        query = parse_qs(parts.query)
        self.asked.append((parts.path, query))
        if parts.path not in self.answers:
            return 404, {"detail": f"there is no {parts.path}"}
        found = self.answers[parts.path]
        return 200, found(query) if callable(found) else found


@pytest.fixture
def script() -> Iterator[Script]:
    """A running server and its script."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            status, document = told.answer(self.path)
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told = Script(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def airflow(script: Script) -> Iterator[Airflow]:
    """Airflow, as far as the script plays it."""
    script.answers["/auth/token"] = {"access_token": "t"}
    with Airflow(script.url, "admin", "secret") as airflow:
        yield airflow
