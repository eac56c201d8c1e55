"""Clients that ask all the time, know what each answer must be, and remember what they were answered."""

from __future__ import annotations

import http.client
import json
import threading
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import psycopg2

from tests.bentos.bundles import PLACES, USE_CASE, predict
from tests.bentos.servers import Service

#: Every one different.
INSTANCES: tuple[dict[str, Any], ...] = tuple(
    {
        "income": number / 5,
        "rooms": None if number % 7 == 0 else 1 + number % 9,
        "furnished": number % 2 == 0,
        "place": list(PLACES)[number // 3 % len(PLACES)],
    }
    for number in range(100)
)
LOGGED = """
SELECT request_id, model_version, role, size, predictions
FROM serving.answers
WHERE use_case = %(use_case)s AND request_id LIKE %(mine)s
"""


class Question(NamedTuple):
    """What a request asks for."""

    path: str
    body: bytes
    first: int
    size: int


def _flat(index: int) -> Question:
    return Question("/predict", json.dumps(INSTANCES[index]).encode(), index, 1)


def _batch(first: int, size: int) -> Question:
    instances = INSTANCES[first : first + size]
    return Question("/api/v1/predict", json.dumps({"instances": instances}).encode(), first, size)


#: Asked in turns: flat objects, single rows, batches of up to a hundred.
QUESTIONS = (
    _flat(3),
    _batch(14, 1),
    _flat(21),
    _batch(0, 100),
    _flat(37),
    _batch(50, 1),
    _batch(64, 6),
    _flat(99),
)
#: Predictions in each request, in the long run.
MEAN_SIZE = sum(question.size for question in QUESTIONS) / len(QUESTIONS)


@cache
def _expected(base: float, question: Question) -> list[float]:
    asked = INSTANCES[question.first : question.first + question.size]
    return [predict(instance, base) for instance in asked]


@dataclass
class Client:
    """One caller with one key, who keeps one connection.

    Attributes:
        name: Begins the ids of its requests, which go on with their numbers.
        bases: What each version adds to its predictions.
        versions: Which version answered each request; 0 where it failed.
        seconds: How long each request took.
        failed: What came instead of an answer, in words.
    """

    name: str
    port: int
    key: str
    bases: Mapping[int, float]
    versions: array[int] = field(default_factory=lambda: array("H"))
    seconds: array[float] = field(default_factory=lambda: array("f"))
    failed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    @property
    def predictions(self) -> int:
        """How many predictions it was answered."""
        return sum(question(number).size for number, version in enumerate(self.versions) if version)

    def ask(self) -> None:
        """Send the next request, and check the answer."""
        number, version = len(self.versions), 0
        begun = time.monotonic()
        try:
            version = self._ask(question(number), f"{self.name}.{number}")
        except (OSError, http.client.HTTPException, ValueError, KeyError, AssertionError) as error:
            self.failed.append(f"{self.name}.{number}: {error!r}")
            self._link.close()
        self.seconds.append(time.monotonic() - begun)
        self.versions.append(version)

    def close(self) -> None:
        """Hang up."""
        self._link.close()

    def _ask(self, asked: Question, request_id: str) -> int:
        headers = {"content-type": "application/json", "x-api-key": self.key, "x-request-id": request_id}
        self._link.request("POST", asked.path, asked.body, headers)
        response = self._link.getresponse()
        text = response.read()
        assert response.status == 200, text
        document = json.loads(text)
        told = [row["prediction"] for row in document.get("predictions", [document])]
        version: int = document["model_version"]
        assert told == _expected(self.bases[version], asked), f"version {version} does not predict {told}"
        assert document["request_id"] == request_id
        return version


def question(number: int) -> Question:
    """What a client asks with its request of a number."""
    return QUESTIONS[number % len(QUESTIONS)]


@dataclass
class Load:
    """Clients that ask at the same time.

    Attributes:
        pause: Seconds between an answer and the next request of a client.
    """

    clients: Sequence[Client]
    pause: float

    @property
    def failed(self) -> list[str]:
        """What came instead of answers."""
        return [failure for client in self.clients for failure in client.failed]

    @property
    def requests(self) -> int:
        """How many requests were answered."""
        return sum(len(client.versions) - len(client.failed) for client in self.clients)

    @property
    def predictions(self) -> int:
        """How many predictions were answered."""
        return sum(client.predictions for client in self.clients)

    @property
    def seconds(self) -> list[float]:
        """How long each request took, the shortest first."""
        return sorted(second for client in self.clients for second in client.seconds)


@contextmanager
def asking(service: Service, keys: Sequence[str], bases: Mapping[int, float], pause: float) -> Iterator[Load]:
    """Ask all the time, one client for each key."""
    load = Load([Client(f"c{index}", service.port, key, bases) for index, key in enumerate(keys)], pause)
    over = threading.Event()

    def run(client: Client) -> None:
        while not over.wait(load.pause):
            client.ask()
        client.close()

    threads = [threading.Thread(target=run, args=(client,)) for client in load.clients]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        over.set()
        for thread in threads:
            thread.join()


@dataclass
class Books:
    """What the warehouse holds of the answers of some clients.

    Attributes:
        rows: How many requests.
        predictions: How many predictions.
        answered: (role, version) -> how many predictions.
        missing: How many predictions were answered and are not there.
        unheard: How many are there of requests whose answers the clients did not get.
        wrong: Which requests are there twice, or otherwise than answered.
    """

    rows: int = 0
    predictions: int = 0
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    missing: int = 0
    unheard: int = 0
    wrong: list[str] = field(default_factory=list)


def audit(dsn: str, load: Load) -> Books:
    """Compare what is logged with what was answered, request by request."""
    books = Books()
    seen = {client.name: bytearray(len(client.versions)) for client in load.clients}
    known = {client.name: client for client in load.clients}
    with closing(psycopg2.connect(dsn)) as link, link.cursor("audit") as cursor:
        cursor.itersize = 20_000
        cursor.execute(LOGGED, {"use_case": USE_CASE, "mine": "c%.%"})
        for request_id, version, role, size, predictions in cursor:
            name, _, number = request_id.partition(".")
            client, index = known[name], int(number)
            answered = client.versions[index]
            if seen[name][index]:
                books.wrong.append(f"{request_id} is there twice")
            elif not answered:
                books.unheard += size
            elif version != answered or predictions != _expected(client.bases[version], question(index)):
                books.wrong.append(f"{request_id} was answered by version {answered}, and is there as {version}'s")
            seen[name][index] = 1
            books.rows += 1
            books.predictions += size
            books.answered[role, version] += size
    for client in load.clients:
        for index, version in enumerate(client.versions):
            if version and not seen[client.name][index]:
                books.missing += question(index).size
    return books
