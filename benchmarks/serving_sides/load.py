"""Clients that ask one server all the time, each over one connection that it keeps, in a process of their own.

`python load.py` reads an order from its standard input and prints what came of it, both as JSON.
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

#: Seconds without any answer after which a server is given up.
PATIENCE = 60


@dataclass(frozen=True)
class Order:
    """What to ask.

    Attributes:
        bodies: JSON texts, which every client sends in turns.
        seconds: How long new requests are sent; what is under way then is still waited for.
        headers: Of every request, beside those that every client sends.
    """

    port: int
    path: str
    bodies: list[str]
    clients: int
    seconds: float
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answers:
    """What came of it.

    Attributes:
        requests: How many were answered, each with 200.
        seconds: From the first request to the last answer.
        p50: Median latency in seconds.
        p99: The latency that one request in a hundred exceeds, in seconds.
        cpu: CPU seconds of the clients.
    """

    requests: int
    seconds: float
    p50: float
    p99: float
    cpu: float


class Client:
    """One connection.

    Args:
        port: Of the server, on this machine.
        requests: Sent in turns.
        turn: The first to send.
    """

    def __init__(self, port: int, requests: Sequence[bytes], turn: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.begun = 0.0
        self._requests = requests
        self._turn = turn
        self._answer = b""
        self._length = 0

    def send(self) -> None:
        """Send the next request."""
        self._answer, self._length = b"", 0
        self.begun = time.perf_counter()
        self.socket.sendall(self._requests[self._turn % len(self._requests)])
        self._turn += 1

    def receive(self) -> bool:
        """Take what is there, and say whether it is the whole answer.

        Raises:
            ConnectionError: The server hung up, or answered anything but 200.
        """
        chunk = self.socket.recv(1 << 18)
        if not chunk:
            raise ConnectionError("the server hung up")
        self._answer += chunk
        if not self._length:
            head, end, _ = self._answer.partition(b"\r\n\r\n")
            if not end:
                return False
            if head[9:12] != b"200":
                raise ConnectionError(self._answer.decode(errors="replace")[:2000])
            _, _, length = head.lower().partition(b"\r\ncontent-length:")
            self._length = len(head) + len(end) + int(length.partition(b"\r\n")[0])
        return len(self._answer) >= self._length


def ask(order: Order) -> Answers:
    """Carry an order out."""
    headers = {"host": "127.0.0.1", "content-type": "application/json", **order.headers}
    lines = [f"POST {order.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    head = "\r\n".join(lines)
    requests = [f"{head}\r\ncontent-length: {len(body.encode())}\r\n\r\n{body}".encode() for body in order.bodies]
    clients = [Client(order.port, requests, turn) for turn in range(order.clients)]
    latencies: list[float] = []
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
        begun = now = time.perf_counter()
        for client in clients:
            client.send()
        waiting = len(clients)
        while waiting:
            ready = selector.select(PATIENCE)
            if not ready:
                raise TimeoutError(f"no answer within {PATIENCE} s")
            for key, _ in ready:
                client = key.data
                if client.receive():
                    now = time.perf_counter()
                    latencies.append(now - client.begun)
                    if now - begun < order.seconds:
                        client.send()
                    else:
                        waiting -= 1
    latencies.sort()
    return Answers(
        requests=len(latencies),
        seconds=now - begun,
        p50=latencies[len(latencies) // 2],
        p99=latencies[len(latencies) * 99 // 100],
        cpu=time.process_time(),
    )


def run(order: Order) -> Answers:
    """Carry an order out in a process of its own.

    Raises:
        SystemExit: The server did not answer as it must; what it said is printed.
    """
    # Isolated: what is installed would only make the process slow to start.
    command = (sys.executable, "-I", "-S", __file__)
    ended = subprocess.run(command, input=json.dumps(asdict(order)), stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if ended.returncode:
        raise SystemExit(f"asking {order.path} on port {order.port} failed; see above")
    return Answers(**json.loads(ended.stdout))


if __name__ == "__main__":
    print(json.dumps(asdict(ask(Order(**json.load(sys.stdin))))))
