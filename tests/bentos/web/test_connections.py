"""The running service's patience: callers that say nothing, too slowly, without end, or far too much, are cut off."""

from __future__ import annotations

import http.client
import json
import socket
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import httpx
import pytest

from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE
from tests.bentos.servers import Service

SECONDS = 1.0
#: Connections are looked at four times in their time, and this machine does more than one thing.
AT_MOST = SECONDS * 1.25 + 1.5
BODY = json.dumps({"instances": [EXAMPLE]}).encode()
JSON = b"content-type: application/json\r\n"


class End(NamedTuple):
    """How a connection ended: what was answered, and after how many seconds."""

    answer: bytes
    seconds: float

    @property
    def status(self) -> bytes:
        """Of the first answer; empty where there was none."""
        return self.answer[9:12]


class Caller:
    """A connection over which anything is sent."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._begun = time.monotonic()

    def send(self, content: bytes) -> None:
        self._socket.sendall(content)

    def ask(self, content: bytes) -> bytes:
        """Send something, wait for the whole answer, and return its status."""
        self.send(content)
        answer = http.client.HTTPResponse(self._socket)
        answer.begin()
        answer.read()
        return b"%d" % answer.status

    def heard(self) -> bytes:
        """What comes next, without anything sent."""
        return self._socket.recv(65_536)

    def trickle(self, content: bytes, every: float) -> End:
        """Send the same again and again, until the service hangs up."""
        self._socket.settimeout(every)
        answer = b""
        while time.monotonic() - self._begun < 20:
            try:
                self._socket.sendall(content)
                if not (piece := self._socket.recv(65536)):
                    break
                answer += piece
            except TimeoutError:
                continue
            except OSError:
                break
        return End(answer, time.monotonic() - self._begun)

    def end(self) -> End:
        """Wait until the service hangs up."""
        answer = b""
        with suppress(ConnectionResetError):
            while piece := self._socket.recv(65536):
                answer += piece
        return End(answer, time.monotonic() - self._begun)

    def close(self) -> None:
        self._socket.close()


Call = Callable[[], Caller]


@pytest.fixture(scope="module")
def service(serve: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Service:
    bundle = bundles.write(tmp_path_factory.mktemp("bundle"))
    (bundle / "release.json").write_text(json.dumps({"version": 3, "bento": "rents:3"}))
    return serve(SLUICE_BUNDLE=str(bundle), SLUICE_BODY_SECONDS=str(SECONDS), SLUICE_BODY_LIMIT="100000").wait()


@pytest.fixture
def call(service: Service) -> Iterator[Call]:
    callers: list[Caller] = []

    def connect() -> Caller:
        callers.append(Caller(service.port))
        return callers[-1]

    yield connect
    for caller in callers:
        caller.close()


def head(length: int | None = None, method: str = "POST", path: str = "/api/v1/predict") -> bytes:
    size = b"transfer-encoding: chunked" if length is None else b"content-length: %d" % length
    return f"{method} {path} HTTP/1.1\r\nhost: s\r\n".encode() + JSON + size + b"\r\n\r\n"


@contextmanager
def unharmed(service: Service) -> Iterator[None]:
    """The service answers others before and after, and takes no more memory."""
    before = service.worker.memory_info().rss
    assert service.predict(EXAMPLE).status_code == 200
    yield
    assert service.predict(EXAMPLE).status_code == 200
    assert service.worker.memory_info().rss - before < 20_000_000


def test_a_connection_that_asks_for_nothing_is_closed(call: Call) -> None:
    ended = call().end()

    assert ended.answer == b""
    assert SECONDS <= ended.seconds < AT_MOST


@pytest.mark.parametrize("begun", [b"P", b"POST / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nhost: s\r\nx-a: b\r\n"])
def test_a_head_without_an_end_is_cut(call: Call, begun: bytes) -> None:
    caller = call()
    caller.send(begun)
    ended = caller.end()

    assert ended.status in (b"408", b"")
    assert SECONDS <= ended.seconds < AT_MOST


def test_a_head_that_trickles_in_is_cut(call: Call) -> None:
    caller = call()
    caller.send(b"GET / HTTP/1.1\r\nhost: s\r\n")
    ended = caller.trickle(b"x-a: b\r\n", every=0.1)

    assert ended.status == b"408"
    assert SECONDS <= ended.seconds < AT_MOST


def test_a_head_far_too_large_is_cut_before_it_takes_memory(service: Service, call: Call) -> None:
    caller = call()
    with unharmed(service):
        caller.send(b"GET / HTTP/1.1\r\nhost: s\r\n")
        with suppress(OSError):
            for _ in range(1000):
                caller.send(b"x-a: " + b"y" * 60_000 + b"\r\n")
            pytest.fail("60 MB of headers were taken")


def test_a_head_a_little_too_large_is_told(call: Call) -> None:
    assert call().ask(b"GET / HTTP/1.1\r\nhost: s\r\nx-a: " + b"y" * 70_000) == b"431"


def test_headers_of_a_usual_size_are_taken(service: Service) -> None:
    assert httpx.get(service.url, headers={"x-a": "y" * 30_000}).status_code == 200


@pytest.mark.parametrize("sent", [b"", BODY[:20]])
def test_a_body_that_stops_is_told_and_cut(call: Call, sent: bytes) -> None:
    caller = call()
    caller.send(head(len(BODY)) + sent)
    ended = caller.end()

    assert ended.status == b"408"
    assert b"urn:sluice:problem:body-too-slow" in ended.answer
    assert SECONDS <= ended.seconds < AT_MOST


@pytest.mark.parametrize(("length", "piece"), [(50_000, b" "), (None, b"1\r\n \r\n")], ids=["declared", "chunked"])
def test_a_body_that_trickles_in_is_cut(call: Call, length: int | None, piece: bytes) -> None:
    caller = call()
    caller.send(head(length))
    ended = caller.trickle(piece, every=0.1)

    assert ended.status == b"408"
    assert SECONDS <= ended.seconds < AT_MOST


@pytest.mark.parametrize("length", [10**12, None], ids=["declared", "chunked"])
def test_a_body_without_end_is_refused_and_cut(service: Service, call: Call, length: int | None) -> None:
    caller = call()
    piece = b" " * 65_536 if length else b"10000\r\n" + b" " * 65_536 + b"\r\n"
    with unharmed(service):
        caller.send(head(length))
        with suppress(OSError):
            for _ in range(1000):
                caller.send(piece)
            pytest.fail("65 MB of body were taken")
        assert caller.end().status in (b"413", b"")


def test_a_body_that_is_too_large_in_one_piece_is_refused(call: Call) -> None:
    assert call().ask(head() + b"186a1\r\n" + b" " * 100_001 + b"\r\n0\r\n\r\n") == b"413"


@pytest.mark.parametrize("every", [0.05, 0.3])
def test_the_rest_of_a_body_that_was_refused_is_not_waited_for_long(call: Call, every: float) -> None:
    caller = call()
    assert caller.ask(head(50_000, path="/nothing")) == b"404"
    ended = caller.trickle(b" ", every)

    assert ended.answer == b""
    assert SECONDS <= ended.seconds < AT_MOST


def test_much_of_a_body_that_was_refused_is_not_taken(call: Call) -> None:
    caller = call()
    assert caller.ask(head(10**9, path="/nothing")) == b"404"
    with suppress(OSError):
        for _ in range(1000):
            caller.send(b" " * 65_536)
        pytest.fail("65 MB of an answered body were taken")


def test_a_connection_lives_longer_than_one_request_may_take(call: Call) -> None:
    caller = call()
    for _ in range(8):
        assert caller.ask(head(len(BODY)) + BODY) == b"200"
        time.sleep(SECONDS / 4)
    # Refused, and its body not read: what was sent of it already is no reason to hang up.
    assert caller.ask(head(len(BODY), path="/nothing") + BODY) == b"404"
    time.sleep(SECONDS * 1.5)
    assert caller.ask(head(len(BODY)) + BODY) == b"200"


def test_a_connection_is_of_use_after_the_rest_of_a_body_that_was_refused(call: Call) -> None:
    caller = call()
    assert caller.ask(head(len(BODY), path="/nothing")) == b"404"
    time.sleep(SECONDS * 0.6)
    caller.send(BODY)
    time.sleep(SECONDS * 0.6)
    assert caller.ask(head(len(BODY)) + BODY) == b"200"


@pytest.mark.parametrize("more", [b"\r\n", BODY], ids=["empty line", "rest of the body"])
def test_whatever_follows_an_answer_starts_no_endless_wait(call: Call, more: bytes) -> None:
    caller = call()
    asked = head(len(BODY), path="/nothing") + (b"" if more == BODY else BODY)
    assert caller.ask(asked) == b"404"
    caller.send(more)
    ended = caller.end()

    assert ended.answer == b""
    assert SECONDS <= ended.seconds < AT_MOST


def test_a_caller_who_asks_whether_to_send_the_body_is_told_to(call: Call) -> None:
    caller = call()
    caller.send(head(len(BODY)).replace(b"\r\n\r\n", b"\r\nexpect: 100-continue\r\n\r\n"))
    assert caller.heard() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert caller.ask(BODY) == b"200"


def test_requests_that_follow_at_once_are_answered_in_turn(call: Call) -> None:
    caller = call()
    caller.send((head(len(BODY)) + BODY) * 3 + head(len(BODY), path="/nothing") + BODY)
    answer = caller.end().answer

    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"200", b"404"]


def test_a_handshake_for_anything_else_is_answered_as_if_it_were_none(service: Service, call: Call) -> None:
    keyed = b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: %s\r\n\r\n"
    handshake = b"GET /api/v1/predict HTTP/1.1\r\nhost: s\r\n" + keyed % b64encode(b"k" * 16)
    with unharmed(service):
        assert call().ask(handshake) == b"405"


@pytest.mark.parametrize("apart", [False, True], ids=["at once", "head first"])
def test_a_request_that_offers_another_protocol_is_answered_with_its_body(call: Call, apart: bool) -> None:
    offered = head(len(BODY)).replace(b"\r\n\r\n", b"\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\r\n")
    caller = call()
    caller.send(offered)
    if apart:
        time.sleep(SECONDS / 4)
    assert caller.ask(BODY) == b"200"
    assert caller.ask(head(len(BODY)) + BODY) == b"200"


def test_offers_without_end_are_cut_off(service: Service, call: Call) -> None:
    offer = b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"
    with unharmed(service):
        caller = call()
        caller.send(offer * 1200)
        assert caller.end().seconds < AT_MOST
    assert "RecursionError" not in service.log


def test_what_follows_a_body_is_no_header(call: Call) -> None:
    chunk = b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\ncontent-type: text/plain\r\nx-sluice-key: a\r\n\r\n"
    assert call().ask(head() + chunk) == b"200"


@pytest.mark.parametrize("size", [60_000, 66_000, 100_000, 1_000_000])
def test_how_large_a_head_may_be_does_not_depend_on_its_pieces(call: Call, size: int) -> None:
    caller = call()
    whole = b"GET /livez HTTP/1.1\r\nhost: s\r\nx-a: " + b"y" * size + b"\r\n\r\n"
    assert caller.ask(whole) == (b"431" if size > 65_536 else b"200")


def test_many_idle_connections_keep_nobody_out(service: Service, call: Call) -> None:
    callers = [call() for _ in range(200)]
    with unharmed(service):
        pass
    assert all(caller.end().seconds < AT_MOST + 1 for caller in callers)
