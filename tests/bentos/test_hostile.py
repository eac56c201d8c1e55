"""The running service and hostile requests: each is refused in words, and harms nobody."""

from __future__ import annotations

import json
import re
import select
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from http.client import HTTPException, HTTPResponse
from typing import Any, NamedTuple

import httpx
import psutil
import pytest

from tests.bentos import bundles
from tests.bentos.bodies import BODIES
from tests.bentos.hostile import BODY_LIMIT, BODY_SECONDS, KEY, MARK, NOT_HTTP, Hostile
from tests.bentos.servers import Service
from tests.bentos.wires import WIRES

CORPUS = BODIES | WIRES
#: What a line of the log begins with.
LOGGED = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\S* \[\w+ *\] ")
#: Bytes that a process may take more, whatever it was sent.
MORE = 60_000_000


class Told(NamedTuple):
    """What came back.

    Attributes:
        status: 0 where the connection ended without an answer.
    """

    status: int
    media: str
    body: bytes
    caller: socket.socket

    @property
    def problem(self) -> dict[str, Any]:
        """The problem that was told; empty where none was."""
        document: dict[str, Any] = json.loads(self.body) if self.media == "application/problem+json" else {}
        return document

    def answers(self) -> int:
        """How many further answers come before the service hangs up, or has no more to say."""
        self.caller.settimeout(0.5)
        content = b""
        with suppress(OSError):
            while piece := self.caller.recv(65536):
                content += piece
        return content.count(b"HTTP/1.1 ")


@pytest.fixture(scope="module")
def service(serve: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Service:
    bundle = bundles.write(tmp_path_factory.mktemp("bundle"))
    (bundle / "release.json").write_text(json.dumps({"version": 3, "bento": "rents:3"}))
    ring = tmp_path_factory.mktemp("keys") / "api-keys.jsonl"
    ring.write_text(json.dumps({"name": "hostile", "sha256": sha256(KEY.encode()).hexdigest()}))
    return serve(
        SLUICE_BUNDLE=str(bundle),
        SLUICE_ACCESS="keys",
        SLUICE_API_KEYS=str(ring),
        SLUICE_BODY_LIMIT=str(BODY_LIMIT),
        SLUICE_BODY_SECONDS=str(BODY_SECONDS),
    ).wait()


@pytest.fixture(scope="module")
def worker(service: Service) -> psutil.Process:
    """The process that answers."""
    return service.worker


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    """Somebody who means well."""
    with httpx.Client(base_url=service.url, headers={"x-api-key": KEY}) as connected:
        yield connected


@contextmanager
def asked(service: Service, hostile: Hostile) -> Iterator[Told]:
    """Send a hostile request, as far as the service takes it, and wait for what comes back."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as caller:
        rest = memoryview(hostile.sent)
        with suppress(ConnectionError):
            # Who goes on to send when the answer is there already loses it.
            while rest and not select.select([caller], [], [], 0)[0]:
                rest = rest[caller.send(rest[:65536]) :]
            if hostile.ended:
                caller.shutdown(socket.SHUT_WR)
        with closing(HTTPResponse(caller)) as answer:
            told = Told(0, "", b"", caller)
            with suppress(ConnectionError, HTTPException):
                answer.begin()
                told = Told(answer.status, answer.headers.get_content_type(), answer.read(), caller)
            yield told


@pytest.mark.parametrize("name", CORPUS)
def test_a_hostile_request_is_answered_in_words_and_harms_nobody(
    service: Service, worker: psutil.Process, client: httpx.Client, name: str
) -> None:
    hostile = CORPUS[name]
    with asked(service, hostile) as told:
        assert (told.status, kind(told)) == hostile.answer
        assert b"Traceback" not in told.body
        if hostile.answer == NOT_HTTP:
            # Nothing that follows is taken for a request.
            assert told.answers() == 0
    if told.problem:
        assert told.problem["title"]
        assert told.problem["detail"]
        assert len(told.body) < 100_000
        assert hostile.path == (told.problem["errors"][0]["path"] if told.problem["errors"] else None)
    assert client.post("/predict", json=bundles.EXAMPLE).status_code == 200
    assert service.worker == worker


def send(service: Service, requests: Sequence[Hostile]) -> None:
    """Send requests, whatever comes back."""
    for hostile in requests:
        with asked(service, hostile):
            pass


def kind(told: Told) -> str | None:
    """The kind of the problem that was told, or None."""
    return str(told.problem["type"]).removeprefix("urn:sluice:problem:") if told.problem else None


def test_the_corpus_is_large_and_asks_every_address_that_takes_something() -> None:
    assert len({hostile.sent for hostile in CORPUS.values()}) == len(CORPUS) >= 200
    targets = {hostile.sent.split(b" ", 2)[1] for hostile in CORPUS.values() if hostile.sent.startswith(b"POST ")}
    assert targets >= {b"/api/v1/predict", b"/predict", b"/predict/file", b"/api/v1/feedback"}


def test_all_of_them_in_turn_take_no_memory_and_leave_nothing_in_the_log(
    service: Service, worker: psutil.Process
) -> None:
    quick = [hostile for hostile in CORPUS.values() if hostile.answer[0] != 408]
    send(service, quick)
    before = worker.memory_info().rss
    send(service, quick * 3)
    assert worker.memory_info().rss - before < MORE
    assert service.worker == worker

    for line in service.log.splitlines():
        assert LOGGED.match(line), line
        assert MARK not in line
        assert KEY not in line
        assert line.isprintable(), line
    assert "Traceback" not in service.log
