"""The page: what the watcher sees, and whether it lives, for people, probes and Prometheus."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from watcher.rounds import described
from watcher.sight import Seen
from watcher.watch import Round, Watch

POLL_SECONDS = 0.1
"""How soon it notices that it should stop."""
PLAIN = "text/plain; charset=utf-8"


class Page:
    """The watcher's own HTTP server: `/` for people, `/livez` for probes, `/metrics` for Prometheus.

    Args:
        watch: What is shown.
        host: Where it listens.
        port: On which port; any free one where 0.

    Raises:
        OSError: The port is taken.
    """

    def __init__(self, watch: Watch, host: str, port: int) -> None:
        self._watch = watch
        self._server = ThreadingHTTPServer((host, port), self._handler())
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), name="page", daemon=True)

    @property
    def port(self) -> int:
        """On which it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and content of an address."""
        if path == "/livez":
            is_fresh = self._watch.is_fresh()
            return (200, PLAIN, b"alive\n") if is_fresh else (503, PLAIN, b"the last round is too long ago\n")
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, metrics(self._watch.last)
        if path == "/":
            return 200, PLAIN, f"{table(self._watch.last)}\n".encode()
        return 404, PLAIN, b"there is /, /livez and /metrics\n"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        page = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                status, kind, content = page.answer(self.path.split("?")[0])
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing: probes come every few seconds."""

        return Handler


def table(last: Round) -> str:
    """What a round saw, one line for each look."""
    if last.at is None:
        return "the first round is not over yet"
    rows = [
        (name, "waits" if name in last.silent else described(sight), sight.note) for name, sight in last.sights.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)] if rows else [0, 0]
    lines = [f"{name:<{widths[0]}}  {state:<{widths[1]}}  {note}".rstrip() for name, state, note in rows]
    told = [f"open: {', '.join(last.open)}"] if last.open else []
    return "\n".join([f"{last.at:%Y-%m-%d %H:%M:%S} UTC", *lines, *told])


def metrics(last: Round) -> bytes:
    """A round as Prometheus reads it."""
    series = CollectorRegistry()
    at = Gauge("watcher_last_round_timestamp_seconds", "When the last round was", registry=series)
    at.set(last.at.timestamp() if last.at else 0)
    well = Gauge("watcher_well", "1 where a look is well, 0 where it is bad", ["look"], registry=series)
    for name, sight in last.sights.items():
        if isinstance(sight, Seen) and name not in last.silent:
            well.labels(name).set(0 if sight.alerts else 1)
    Gauge("watcher_open", "Things that people were told are wrong", registry=series).set(len(last.open))
    Gauge("watcher_unsent", "Mails that could not be sent yet", registry=series).set(last.unsaid)
    return generate_latest(series)
