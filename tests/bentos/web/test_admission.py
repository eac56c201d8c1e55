"""The running service's door: who comes in, how fast, from which sites, and what is told to whoever does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from local import keys as command
from tabular import settings
from tabular.exchange import Bounds, Exchange, Message
from tabular.problem import ProblemError
from tabular.web.admission import Admission
from tabular.web.keys import Keyring
from tabular.web.pace import Pace
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE
from tests.bentos.servers import BENTOS, Service, eventually

BURST = 100
SITE = "https://app.example.com"
GUARDS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "strict-transport-security": "max-age=31536000",
}
PROBES = {"/livez", "/healthz", "/readyz"}
#: What BentoML serves for others than us: task queues, its own page and the files of it.
UNUSED = (
    "/",
    "/docs.json",
    "/schema.json",
    "/static_content/index.html",
    "/assets/x",
    "/predict/status",
    "/predict/get",
)
DATA = ("/", "/openapi.json", "/metrics")
POSTED = ("/api/v1/predict", "/predict", "/api/v1/feedback")


class Locked(NamedTuple):
    """A service that asks for keys, and the file of them."""

    service: Service
    keys: Path

    def make(self, name: str) -> str:
        """A new key, once it is in force."""
        key = command.make(self.keys, name)
        eventually(lambda: self.ask(key).status_code == 200)
        return key

    def ask(self, key: str) -> httpx.Response:
        """Ask for one prediction."""
        return self.service.predict(EXAMPLE, **{"x-api-key": key})


@pytest.fixture(scope="module")
def locked(serve: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Locked:
    bundle = bundles.write(tmp_path_factory.mktemp("bundle"))
    (bundle / "release.json").write_text(json.dumps({"version": 3, "bento": "rents:3"}))
    keys = tmp_path_factory.mktemp("keys") / "api-keys.jsonl"
    command.make(keys, "first")
    service = serve(
        SLUICE_ACCESS="keys",
        SLUICE_API_KEYS=str(keys),
        SLUICE_BUNDLE=str(bundle),
        SLUICE_CORS_ORIGINS=f"{SITE}, http://localhost:5173",
        SLUICE_HSTS="31536000",
        SLUICE_RATE="20",
        SLUICE_BURST=str(BURST),
    ).wait()
    return Locked(service, keys)


@pytest.fixture(scope="module")
def key(locked: Locked) -> str:
    return locked.make("alice")


@pytest.fixture
def client(locked: Locked) -> Iterator[httpx.Client]:
    """A client without a key."""
    with httpx.Client(base_url=locked.service.url, timeout=30) as connected:
        yield connected


@pytest.fixture(scope="module")
def empty(serve: Callable[..., Service]) -> Service:
    """A service that is open and has nothing to serve."""
    service = serve()
    eventually(lambda: "no release" in service.log or service.card(), within=90)
    return service


@pytest.mark.parametrize("path", DATA)
def test_nothing_with_data_is_read_without_a_key(client: httpx.Client, key: str, path: str) -> None:
    refused = client.get(path)

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="sluice"'
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["type"] == "urn:sluice:problem:unauthorized"
    assert client.get(path, headers={"x-api-key": key}).status_code == 200


@pytest.mark.parametrize("path", POSTED)
def test_nothing_is_asked_without_a_key(client: httpx.Client, path: str) -> None:
    assert client.post(path, json={"instances": [EXAMPLE]}).status_code == 401


def test_a_key_is_asked_for_wherever_the_interface_says_so_and_nowhere_else(client: httpx.Client, key: str) -> None:
    document = client.get("/openapi.json", headers={"x-api-key": key}).json()
    paths = document["paths"].items()
    described = {(method, path): what for path, methods in paths for method, what in methods.items()}
    keyed = {asked for asked, what in described.items() if what.get("security", document["security"])}

    assert {asked for asked in described if client.request(*asked).status_code == 401} == keyed
    assert {path for _, path in described.keys() - keyed} == {"/docs", *PROBES}


def test_both_headers_take_the_key(client: httpx.Client, key: str) -> None:
    for headers in ({"x-api-key": key}, {"authorization": f"Bearer {key}"}):
        answer = client.post("/api/v1/predict", json={"instances": [EXAMPLE]}, headers=headers)
        assert answer.status_code == 200


def test_why_a_key_opens_nothing_is_not_told(locked: Locked, client: httpx.Client, key: str) -> None:
    told = [
        {name: value for name, value in answer.json().items() if name != "request_id"}
        for answer in (client.get("/metrics"), locked.ask(key[:-1]), locked.ask("slk_any"), locked.ask(key.upper()))
    ]
    assert told == [told[0]] * 4


def test_a_key_in_the_address_opens_nothing_and_is_not_logged(locked: Locked, client: httpx.Client, key: str) -> None:
    for name in ("key", "api_key", "x-api-key", "access_token"):
        assert client.get("/metrics", params={name: key}).status_code == 401
    assert key not in locked.service.log


def test_a_key_is_made_and_revoked_while_the_service_runs(locked: Locked) -> None:
    bob, carol = locked.make("bob"), locked.make("carol")
    command.revoke(locked.keys, "bob")

    eventually(lambda: locked.ask(bob).status_code == 401, within=3)
    assert locked.ask(carol).status_code == 200
    assert bob not in locked.service.log


def test_a_broken_file_keeps_everybody_in_and_is_told(locked: Locked, key: str) -> None:
    good = locked.keys.read_bytes()
    locked.keys.write_bytes(good + b'{"name": "dave"}\n')
    told = f"{locked.keys}, line {len(good.splitlines()) + 1}: sha256: Field required"
    try:
        eventually(lambda: locked.ask(key).status_code == 200 and told in locked.service.log, within=5)
    finally:
        locked.keys.write_bytes(good)


def test_an_expired_key_opens_nothing(locked: Locked) -> None:
    with locked.keys.open("a") as file:
        for name, expires in (("over", "2020-01-01T00:00:00Z"), ("lasting", "2999-01-01T00:00:00+02:00")):
            given = {"name": name, "sha256": sha256(name.encode()).hexdigest(), "expires": expires}
            file.write(json.dumps(given) + "\n")

    eventually(lambda: locked.ask("lasting").status_code == 200, within=5)
    assert locked.ask("over").status_code == 401


def test_who_asks_too_fast_waits_and_nobody_else_does(locked: Locked, client: httpx.Client, key: str) -> None:
    hasty = {"x-api-key": locked.make("hasty")}
    answers = [client.get("/", headers=hasty) for _ in range(BURST * 2)]
    refused = [answer for answer in answers if answer.status_code == 429]

    assert {answer.status_code for answer in answers} == {200, 429}
    assert refused[0].json()["type"] == "urn:sluice:problem:too-many-requests"
    assert refused[0].headers["retry-after"] == "1"
    assert {client.get("/", headers={"x-api-key": key}).status_code for _ in range(20)} == {200}
    eventually(lambda: client.get("/", headers=hasty).status_code == 200, within=3)


def test_no_address_of_bentoml_answers_whoever_has_no_key(client: httpx.Client) -> None:
    """What it serves is asked of itself, so that its next version cannot add an address unseen."""
    script = "import json; from tabular.service import Tabular as t; " + (
        "print(json.dumps([route.path for route in t.to_asgi(is_main=True).routes]))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=BENTOS,
        env=environment | {"PYTHONPATH": str(BENTOS)},
        capture_output=True,
        text=True,
        check=True,
    )
    known = {*json.loads(done.stdout.splitlines()[-1]), *UNUSED}
    assert known > PROBES

    for path in sorted(known):
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
            answer = client.request(method, path)
            if path in PROBES and method in ("GET", "HEAD"):
                assert (answer.status_code, answer.text.strip()) == (200, "")
            else:
                assert answer.status_code in (401, 404, 405), (method, path)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("POST", "/api/v1/predict", 415),
        ("GET", "/nothing", 404),
        ("DELETE", "/", 405),
        ("GET", "/livez", 200),
        ("GET", "/readyz", 200),
    ],
)
def test_every_answer_keeps_browsers_from_doing_more_with_it(
    client: httpx.Client, key: str, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path, headers={"x-api-key": key})

    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in GUARDS} == GUARDS
    assert "server" not in answer.headers


def test_so_do_refusals_and_failures(client: httpx.Client, empty: Service) -> None:
    assert client.get("/metrics").headers.items() >= GUARDS.items()
    unready = empty.predict(EXAMPLE)
    assert unready.status_code == 503
    assert unready.headers["x-content-type-options"] == "nosniff"
    assert httpx.get(f"{empty.url}/readyz").headers["x-content-type-options"] == "nosniff"
    # Only where it is set: a browser that has seen it over HTTPS never comes back over HTTP.
    assert "strict-transport-security" not in unready.headers


def test_a_page_shows_what_is_its_own_and_in_nobodys_frame(client: httpx.Client) -> None:
    page = client.get("/", headers={"accept": "text/html"})

    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "//" not in policy


def preflight(client: httpx.Client, origin: str, headers: str = "x-api-key", method: str = "POST") -> httpx.Response:
    asked = {"access-control-request-method": method, "access-control-request-headers": headers}
    return client.options("/api/v1/predict", headers={"origin": origin, **asked})


def test_a_page_of_a_listed_site_may_ask(client: httpx.Client, key: str) -> None:
    before = preflight(client, SITE, "authorization,content-type,x-api-key,x-request-id,x-sluice-key")
    assert before.status_code == 200
    assert before.headers["access-control-allow-origin"] == SITE
    assert before.headers["x-content-type-options"] == "nosniff"

    given = {"origin": SITE, "x-api-key": key}
    answer = client.post("/api/v1/predict", json={"instances": [EXAMPLE]}, headers=given)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == SITE
    assert "access-control-allow-credentials" not in answer.headers
    exposed = set(answer.headers["access-control-expose-headers"].split(", "))
    assert exposed >= {"x-request-id", "x-sluice-version", "retry-after"}
    assert "Origin" in answer.headers["vary"]
    # The page is told that it needs a key.
    assert client.get("/metrics", headers={"origin": SITE}).headers["access-control-allow-origin"] == SITE


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.com",
        f"{SITE}.evil.com",
        f"{SITE}:8443",
        "http://app.example.com",
        "null",
        "http://localhost",
    ],
)
def test_a_page_of_another_site_may_not(client: httpx.Client, key: str, origin: str) -> None:
    assert preflight(client, origin).status_code == 400
    for answer in (preflight(client, origin), client.get("/", headers={"origin": origin, "x-api-key": key})):
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(("headers", "method"), [("x-other", "POST"), ("x-api-key", "DELETE")])
def test_a_listed_site_may_not_ask_for_anything_else(client: httpx.Client, headers: str, method: str) -> None:
    assert preflight(client, SITE, headers, method).status_code == 400


def test_an_open_service_asks_nobody_for_a_key_and_says_so(empty: Service) -> None:
    assert httpx.get(f"{empty.url}/metrics").status_code == 200
    assert "SLUICE_ACCESS is open: whoever reaches this service is answered" in empty.log


def knock(admission: Admission, key: str, address: str = "203.0.113.7") -> int:
    """Ask to come in, and return the status of the refusal; 200 where there is none."""

    async def receive() -> Message:
        raise AssertionError("nothing of the body is read")

    async def send(_: Message) -> None:
        raise AssertionError("nothing is answered yet")

    headers = [(b"x-api-key", key.encode())]
    scope = {"method": "GET", "path": "/", "headers": headers, "client": (address, 5000)}
    try:
        admission.admit(Exchange(scope, receive, send, Bounds(1, 1)))
    except ProblemError as problem:
        return problem.status
    return 200


def test_who_tries_many_keys_is_held_up_and_nobody_else(tmp_path: Path) -> None:
    good = command.make(tmp_path / "keys", "alice")
    admission = replace(Admission(Keyring(tmp_path / "keys")), strangers=Pace(20, 100, lambda: 0.0))

    assert [knock(admission, f"slk_{number}") for number in range(101)] == [401] * 100 + [429]
    assert knock(admission, "slk_another", "203.0.113.8") == 401
    assert [knock(admission, good) for _ in range(200)] == [200] * 200


def test_keys_are_tried_at_a_pace_wherever_keys_are_asked_for(tmp_path: Path) -> None:
    command.make(tmp_path / "keys", "alice")
    for rate in ({}, {"SLUICE_RATE": "0"}):
        found = Admission.of(settings.read({"SLUICE_API_KEYS": str(tmp_path / "keys"), **rate})).strangers
        assert (found.rate, found.burst) == (20, 100)


def test_a_service_that_is_told_nothing_lets_nobody_in() -> None:
    admission = Admission.of(settings.read({}))

    assert admission.keyring is not None
    assert admission.keyring.admit("slk_any") is None
    assert admission.pace is not None
    assert (admission.pace.rate, admission.pace.burst) == (1000, 1000)


@pytest.mark.parametrize(
    ("given", "pace"),
    [
        ({"SLUICE_ACCESS": "open"}, None),
        ({"SLUICE_ACCESS": "open", "SLUICE_RATE": "0.5"}, (0.5, 1)),
        ({"SLUICE_RATE": "0"}, None),
        ({"SLUICE_RATE": "7.5"}, (7.5, 8)),
        ({"SLUICE_BURST": "5000"}, (1000, 5000)),
    ],
)
def test_the_pace_is_set(given: dict[str, str], pace: tuple[float, int] | None) -> None:
    found = Admission.of(settings.read(given)).pace

    assert (found and (found.rate, found.burst)) == pace
