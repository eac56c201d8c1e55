"""The running service: what it answers, what it refuses, what it says of itself, what it logs."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import uuid
from collections.abc import Callable, Iterator

import httpx
import pytest

from sluice.adapters.warehouse import Warehouse
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, predict
from tests.bentos.servers import Service, eventually

JSON = {"content-type": "application/json"}
BODY_LIMIT = 50_000


@pytest.fixture(scope="module")
def service(serve: Callable[..., Service], warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service that serves the bundle of its image, as version 3."""
    bundle = bundles.write(tmp_path_factory.mktemp("bundle"))
    (bundle / "release.json").write_text(json.dumps({"version": 3, "bento": "rents:3"}))
    return serve(
        SLUICE_BUNDLE=str(bundle), SLUICE_WAREHOUSE_DSN=warehouse.dsn, SLUICE_BODY_LIMIT=str(BODY_LIMIT)
    ).wait()


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    """A client of the service."""
    with httpx.Client(base_url=service.url, timeout=30) as connected:
        yield connected


def test_a_prediction_has_its_interval_its_id_and_its_release(client: httpx.Client) -> None:
    instances = [EXAMPLE, EXAMPLE | {"rooms": None, "place": "INLAND", "income": 0}]
    answer = client.post("/api/v1/predict", json={"instances": instances})
    assert answer.status_code == 200
    document = answer.json()
    assert [row["prediction"] for row in document["predictions"]] == [predict(i, 100.0) for i in instances]
    # Half width 30, cut to the target's range of 0 to 160.
    assert [row["interval"] for row in document["predictions"]] == [[125.0, 160.0], [78.0, 138.0]]
    assert len({uuid.UUID(row["prediction_id"]) for row in document["predictions"]}) == 2
    rest = {name: document[name] for name in ("unit", "use_case", "model_version", "level")}
    assert rest == {"unit": "USD", "use_case": "rents", "model_version": 3, "level": 0.9}
    assert answer.headers["x-sluice-version"] == "3"
    assert answer.headers["x-request-id"] == document["request_id"]


@pytest.mark.parametrize(("given", "kept"), [("order-7:a.b_c", True), ("has space", False), ("x" * 200, False)])
def test_a_callers_request_id_is_kept_where_it_is_sane(client: httpx.Client, given: str, kept: bool) -> None:
    answer = client.post("/api/v1/predict", json={"instances": [EXAMPLE]}, headers={"x-request-id": given})
    assert (answer.headers["x-request-id"] == given) is kept
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(service: Service) -> None:
    head = b"POST /api/v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
        # The service answers and hangs up while the caller still sends.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(head + b"transfer-encoding: chunked\r\n\r\n")
            for _ in range(20):
                connection.sendall(b"2710\r\n" + b" " * 10_000 + b"\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nope", 404, "not-found"),
        ("POST", "/", 405, "method-not-allowed"),
        ("GET", "/api/v1/predict", 405, "method-not-allowed"),
        ("DELETE", "/api/v1/predict", 405, "method-not-allowed"),
        ("GET", "/api/v1/predict/../../etc/passwd", 404, "not-found"),
    ],
)
def test_a_wrong_address_is_a_problem_too(client: httpx.Client, method: str, path: str, status: int, kind: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:sluice:problem:{kind}")


def test_a_caller_who_hangs_up_harms_nobody(service: Service, client: httpx.Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    connection.putrequest("POST", "/api/v1/predict")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", "1000")
    connection.endheaders(b'{"instances"')
    connection.close()
    assert client.post("/api/v1/predict", json={"instances": [EXAMPLE]}).status_code == 200


def test_a_large_request_is_answered_beside_the_small_ones(client: httpx.Client) -> None:
    spaced = json.dumps({"instances": [EXAMPLE] * 50}, indent=40)
    assert 16_384 < len(spaced) < BODY_LIMIT
    answer = client.post("/api/v1/predict", content=spaced, headers=JSON)
    assert [row["prediction"] for row in answer.json()["predictions"]] == [155.0] * 50


def test_the_card_says_what_serves(client: httpx.Client) -> None:
    card = client.get("/").json()
    assert (card["use_case"], card["version"], card["source"], card["reason"]) == ("rents", 3, "baked", "ok")
    assert [given["name"] for given in card["inputs"]] == ["income", "rooms", "furnished", "place"]
    assert card["runtime_sha256"] == bundles.Recipe().runtime_sha256


def test_the_example_of_the_openapi_document_is_a_request_that_works(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    request = document["components"]["schemas"]["Request"]
    assert client.post("/api/v1/predict", json=request["example"]).status_code == 200
    instance = document["components"]["schemas"]["Instance"]
    assert instance["required"] == ["income", "furnished", "place"]
    assert instance["properties"]["rooms"]["type"] == ["integer", "null"]


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_the_health_of_the_service_can_be_asked_for(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200


def test_requests_are_counted_by_version_and_outcome(client: httpx.Client) -> None:
    client.post("/api/v1/predict", json={"instances": [EXAMPLE]})
    client.post("/api/v1/predict", json={"instances": []})
    text = client.get("/metrics").text
    for series in (
        'pred_requests_total{outcome="ok",use_case="rents",version="3"}',
        'pred_requests_total{outcome="refused",use_case="rents",version="3"}',
        'pred_request_latency_seconds_count{outcome="ok",use_case="rents",version="3"}',
        'latest_prediction{use_case="rents",version="3"} 155.0',
        'prediction_log_dropped_total{use_case="rents"} 0.0',
        'release_loads_total{outcome="swapped",use_case="rents"} 1.0',
    ):
        assert series in text


def test_addresses_that_callers_make_up_leave_no_series(client: httpx.Client) -> None:
    client.get("/made-up-by-a-caller")
    assert "made-up" not in client.get("/metrics").text


def test_every_answered_instance_is_logged(client: httpx.Client, warehouse: Warehouse) -> None:
    rows = [EXAMPLE, EXAMPLE | {"rooms": None, "place": "INLAND"}]
    answer = client.post("/api/v1/predict", json={"instances": rows}, headers={"x-request-id": "logged"}).json()
    client.post("/api/v1/predict", json={"instances": [{}]}, headers={"x-request-id": "refused"})
    logged = eventually(lambda: warehouse.rows("SELECT * FROM serving.predictions WHERE request_id = 'logged'"))
    by_id = {str(row["prediction_id"]): row for row in logged}
    assert by_id.keys() == {row["prediction_id"] for row in answer["predictions"]}
    for given, row in zip(rows, answer["predictions"], strict=True):
        kept = by_id[row["prediction_id"]]
        assert (kept["features"], kept["prediction"]) == (given, row["prediction"])
        assert (kept["use_case"], kept["model_version"]) == ("rents", 3)
        assert 0 < kept["latency_ms"] < 10_000
    assert not warehouse.rows("SELECT 1 FROM serving.predictions WHERE request_id = 'refused'")


def test_the_replica_shows_that_it_lives_and_takes_that_back_when_it_ends(
    service: Service, client: httpx.Client, warehouse: Warehouse
) -> None:
    (row,) = warehouse.rows("SELECT *, now() - seen_at < interval '10 s' AS fresh FROM serving.replicas")
    assert (row["use_case"], row["version"], row["source"], row["reason"]) == ("rents", 3, "baked", "ok")
    assert row["pid"] == service.worker.pid
    assert row["bundle_sha256"] == client.get("/").json()["bundle_sha256"]
    assert row["fresh"]
    answers = [client.post("/api/v1/predict", json={"instances": [EXAMPLE] * 50}).json() for _ in range(20)]
    assert service.stop() == 0
    given = {row["prediction_id"] for answer in answers for row in answer["predictions"]}
    kept = warehouse.rows("SELECT prediction_id::text FROM serving.predictions")
    assert given <= {row["prediction_id"] for row in kept}
    assert not warehouse.rows("SELECT 1 FROM serving.replicas")
