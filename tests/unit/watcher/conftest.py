"""Real servers for the watcher to look at: mails are caught by the stack's own inbox, Airflow is played over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller

from local.inbox import Catcher, Mail, Mailbox
from local.ports import free_port
from watcher.mail import Server

TOKEN = "a-token"


class Answers:
    """An HTTP server that answers what it was told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.by_path: dict[str, Any] = {}
        self.asked: list[str] = []
        self.token, self.refusal = TOKEN, 401
        answers = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answers.asked.append(self.path)
                path = self.path.split("?")[0]
                known = answers.by_path.get(path)
                needs_token = path.startswith("/api/v2/") and not path.endswith("/monitor/health")
                if needs_token and self.headers.get("authorization") != f"Bearer {answers.token}":
                    self.answer(answers.refusal, {})
                else:
                    self.answer(404 if known is None else 200, known)

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                login = json.loads(self.rfile.read(length))
                is_right = login == {"username": "viewer", "password": "right"}
                self.answer(201 if is_right else 401, {"access_token": answers.token})

            def answer(self, status: int, content: Any) -> None:
                body = (content if isinstance(content, str) else json.dumps(content)).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def answers() -> Iterator[Answers]:
    server = Answers()
    yield server
    server.stop()


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=2, trust_env=False) as client:
        yield client


class Inbox:
    """A mail server that can be away."""

    def __init__(self, folder: Path) -> None:
        self._box, self._port = Mailbox(folder), free_port()
        self._controller: Controller | None = None
        self.server = Server("127.0.0.1", self._port, ssl=False, starttls=False)

    def start(self) -> None:
        self._controller = Controller(Catcher(self._box), hostname="127.0.0.1", port=self._port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller:
            self._controller.stop()
        self._controller = None

    def mails(self) -> list[Mail]:
        return self._box.mails()

    def subjects(self) -> list[str]:
        return [mail.subject for mail in self.mails()]


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    folder = tmp_path / "inbox"
    folder.mkdir()
    caught = Inbox(folder)
    caught.start()
    yield caught
    caught.stop()
