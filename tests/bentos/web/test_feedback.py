"""Late labels: what they may be, which prediction they are of, what the warehouse holds of them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jsonschema  # type: ignore[import-untyped]
import psycopg2
import pytest

from sluice.adapters.warehouse import Warehouse
from tabular import ids
from tabular.problem import ProblemError
from tabular.record import labels
from tabular.record.book import FIND, LOCK, Book
from tabular.record.labels import Label
from tabular.releases import contract as documents
from tabular.releases.contract import Contract
from tests.bentos import bundles
from tests.bentos.bundles import BINARY, EXAMPLE, Recipe
from tests.bentos.servers import Relay, Service, eventually

ADDRESS = "/api/v1/feedback"
NOON = "2026-05-01T12:00:00Z"


def contract(recipe: Recipe) -> Contract:
    return documents.parse(Contract, json.dumps(bundles.contract(recipe)).encode(), "contract.json")


NUMBER, CLASSES = contract(Recipe()), contract(BINARY)
ID = ids.fresh()

#: Name: (labels, path of a fault, its message, a part of what is allowed); rents are from 0 to 160 USD.
WRONG: dict[str, tuple[Any, str, str, str]] = {
    "no list": ({}, "labels", "is not a list", "a list of 1 to 50 objects"),
    "none": ([], "labels", "is empty", "a list of 1 to 50 objects"),
    "no object": (["Y"], "labels[0]", "is not an object", "an id and a label"),
    "no id": ([{"label": 1}], "labels[0]", "has no id", "a prediction_id, or a request_id and an index"),
    "both ids": (
        [{"prediction_id": ID, "request_id": "r", "label": 1}],
        "labels[0].request_id",
        "is one too many",
        "prediction_id alone",
    ),
    "index of a prediction": (
        [{"prediction_id": ID, "index": 0, "label": 1}],
        "labels[0].index",
        "is one too many",
        "prediction_id alone",
    ),
    "no label": ([{"prediction_id": ID}], "labels[0].label", "is missing", "a finite number from 0 to 160, in USD"),
    "null": ([{"prediction_id": ID, "label": None}], "labels[0].label", "is null", "a finite number"),
    "text": ([{"prediction_id": ID, "label": "9"}], "labels[0].label", "is not a number", "a finite number"),
    "flag": ([{"prediction_id": ID, "label": True}], "labels[0].label", "is not a number", "a finite number"),
    "infinite": ([{"prediction_id": ID, "label": 1e999}], "labels[0].label", "is not a finite number", "a finite"),
    "out of range": ([{"prediction_id": ID, "label": 161}], "labels[0].label", "is out of range", "from 0 to 160"),
    "no such id": (
        [{"prediction_id": "7", "label": 1}],
        "labels[0].prediction_id",
        "is not the id of a prediction",
        "an id as an answer gives it",
    ),
    "id in braces": (
        [{"prediction_id": f"{{{ID}}}", "label": 1}],
        "labels[0].prediction_id",
        "is not the id of a prediction",
        "",
    ),
    "odd request": ([{"request_id": "a b", "label": 1}], "labels[0].request_id", "is not the id of a request", ""),
    "index as text": ([{"request_id": "r", "index": "0", "label": 1}], "labels[0].index", "is not a place", "from 0"),
    "index as a flag": ([{"request_id": "r", "index": True, "label": 1}], "labels[0].index", "is not a place", ""),
    "negative index": ([{"request_id": "r", "index": -1, "label": 1}], "labels[0].index", "is not a place", ""),
    "misspelt": (
        [{"request_id": "r", "lable": 1, "label": 1}],
        "labels[0].lable",
        "is not known",
        "did you mean label?",
    ),
    "no zone": (
        [{"request_id": "r", "label": 1, "observed_at": "2026-05-01T12:00:00"}],
        "labels[0].observed_at",
        "is not a time with its zone",
        NOON,
    ),
    "no such day": (
        [{"request_id": "r", "label": 1, "observed_at": "2026-02-30T12:00:00Z"}],
        "labels[0].observed_at",
        "is not a time with its zone",
        "",
    ),
    "in the future": (
        [{"request_id": "r", "label": 1, "observed_at": "9999-12-31T23:59:59-23:59"}],
        "labels[0].observed_at",
        "is not in the past",
        "",
    ),
    "before all time": (
        [{"request_id": "r", "label": 1, "observed_at": "0001-01-01T00:00:00+23:59"}],
        "labels[0].observed_at",
        "is not in the past",
        "",
    ),
    "one prediction twice": (
        [{"request_id": "r", "label": 1}, {"request_id": "r", "index": 0, "label": 2}],
        "labels[1]",
        "is of the same prediction as labels[0]",
        "one label for each prediction",
    ),
}


def refused(document: Any, known: Contract = NUMBER) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        labels.read(json.dumps(document).encode(), known)
    return caught.value


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_label_is_told_with_its_place(name: str) -> None:
    given, path, message, allowed = WRONG[name]
    problem = refused({"labels": given})
    assert (problem.status, problem.kind) == (422, "contract")
    fault = next(fault for fault in problem.errors if fault.path == path)
    assert fault.message.startswith(message)
    assert allowed in (fault.allowed or "")


def test_every_fault_is_told_at_once() -> None:
    problem = refused({"labels": [{"prediction_id": "7", "label": -1}, {"label": "x"}], "debug": True})
    assert [fault.path for fault in problem.errors] == [
        "debug",
        "labels[0].prediction_id",
        "labels[0].label",
        "labels[1]",
        "labels[1].label",
    ]


def test_a_name_twice_is_a_fault() -> None:
    with pytest.raises(ProblemError) as caught:
        labels.read(b'{"labels": [{"request_id": "r", "label": 1, "label": 2}]}', NUMBER)
    assert [(fault.path, fault.message) for fault in caught.value.errors] == [
        ("labels[0].label", "occurs more than once")
    ]


def test_more_labels_than_instances_are_too_many() -> None:
    problem = refused({"labels": [{"request_id": "r", "index": index, "label": 1} for index in range(51)]})
    assert (problem.status, problem.kind) == (413, "too-many-labels")


@pytest.mark.parametrize(("label", "good"), [("N", True), ("Y", True), ("Dear", False), ("y", False), (1, False)])
def test_a_class_is_told_by_its_value(label: Any, good: bool) -> None:
    document = {"labels": [{"request_id": "r", "label": label}]}
    if good:
        (read,) = labels.read(json.dumps(document).encode(), CLASSES)
        assert read.value == label
    else:
        (fault,) = refused(document, CLASSES).errors
        assert (fault.message, fault.allowed) == ("is not one of the classes", "one of: N, Y")


def test_any_finite_number_will_do_where_no_range_is_known() -> None:
    (read,) = labels.read(b'{"labels": [{"request_id": "r", "label": -1e300}]}', contract(Recipe(interval=None)))
    assert read.value == -1e300


def test_a_time_is_read_with_its_zone() -> None:
    document = {"labels": [{"request_id": "r", "label": 1, "observed_at": "2026-05-01T14:00:00.25+02:00"}]}
    (read,) = labels.read(json.dumps(document).encode(), NUMBER)
    assert read.observed_at == datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)


ANSWER = """
INSERT INTO serving.answers (
    answer_id, request_id, use_case, model_version, role, size, names, features, predictions, latency_ms, predicted_at
)
VALUES (
    %(id)s, %(request_id)s, %(use_case)s, 3, %(role)s, %(size)s, '{income}', %(features)s, %(predictions)s, 1, now()
)
"""


@pytest.fixture
def log(warehouse: Warehouse) -> Callable[..., str]:
    """Logs an answer as the service does, and returns its id."""

    def write(
        request_id: str, size: int = 1, use_case: str = "rents", role: str = "champion", answer_id: str = ""
    ) -> str:
        answer_id = answer_id or ids.fresh()
        values = {
            "id": answer_id,
            "request_id": request_id,
            "use_case": use_case,
            "role": role,
            "size": size,
            "features": json.dumps([[place] for place in range(size)]),
            "predictions": [100.0 + place for place in range(size)],
        }
        warehouse.execute("SELECT serving.ensure_partition((now() AT TIME ZONE 'UTC')::date)")
        warehouse.execute(ANSWER, values)
        return answer_id

    return write


@pytest.fixture
def book(warehouse: Warehouse) -> Iterator[Book]:
    made = Book(warehouse.dsn, "rents")
    yield made
    made.close()


def told(*given: dict[str, Any]) -> list[Label]:
    """Labels as a caller brings them."""
    return labels.read(json.dumps({"labels": given}).encode(), NUMBER)


def keep(book: Book, *given: dict[str, Any], key_name: str | None = None) -> tuple[int, int, list[str]]:
    """How many were stored, how many changed nothing, and where the others stand."""
    kept = book.keep(told(*given), key_name, float("inf"))
    return kept.stored, kept.unchanged, [f"{fault.path} {fault.message}" for fault in kept.unknown]


def truths(warehouse: Warehouse, request_id: str) -> Sequence[dict[str, Any]]:
    statement = "SELECT * FROM serving.labelled WHERE request_id = %(id)s ORDER BY prediction"
    return warehouse.rows(statement, {"id": request_id})


def history(warehouse: Warehouse, request_id: str) -> list[float]:
    statement = "SELECT true_number FROM serving.labels WHERE request_id = %(id)s ORDER BY label_id"
    return [row["true_number"] for row in warehouse.rows(statement, {"id": request_id})]


def test_a_label_is_laid_to_its_prediction_by_either_id(
    book: Book, log: Callable[..., str], warehouse: Warehouse
) -> None:
    request_id = uuid4().hex
    answer_id = log(request_id, size=3)
    third = ids.predictions(answer_id, 3)[2]

    assert keep(book, {"prediction_id": third, "label": 12}, {"request_id": request_id, "index": 1, "label": 11}) == (
        2,
        0,
        [],
    )

    found = truths(warehouse, request_id)
    assert [(row["prediction"], row["true_number"], row["features"]) for row in found] == [
        (101.0, 11.0, {"income": 1}),
        (102.0, 12.0, {"income": 2}),
    ]
    assert str(found[1]["prediction_id"]) == third
    logged = warehouse.rows(
        "SELECT features, prediction FROM serving.predictions WHERE prediction_id = %(id)s", {"id": third}
    )
    assert logged == [{"features": {"income": 2}, "prediction": 102.0}]


def test_a_prediction_whose_id_has_no_place_in_it_is_found_by_it(
    book: Book, log: Callable[..., str], warehouse: Warehouse
) -> None:
    request_id, old = uuid4().hex, str(uuid4())
    log(request_id, answer_id=old)

    assert keep(book, {"prediction_id": old.upper(), "label": 9}) == (1, 0, [])
    assert [str(row["prediction_id"]) for row in truths(warehouse, request_id)] == [old]
    assert keep(book, {"request_id": request_id, "label": 9}) == (0, 1, [])


def test_the_same_label_again_changes_nothing(book: Book, log: Callable[..., str], warehouse: Warehouse) -> None:
    request_id = uuid4().hex
    answer_id = log(request_id)

    assert keep(book, {"prediction_id": answer_id, "label": 9, "observed_at": NOON}) == (1, 0, [])
    assert keep(book, {"request_id": request_id, "label": 9.0}) == (0, 1, [])
    assert keep(book, {"request_id": request_id, "label": 9.0, "observed_at": NOON}) == (0, 1, [])
    assert history(warehouse, request_id) == [9]


def test_a_correction_counts_and_what_it_corrects_is_kept(
    book: Book, log: Callable[..., str], warehouse: Warehouse
) -> None:
    request_id = uuid4().hex
    log(request_id)

    for label in (9, 10, 9):
        assert keep(book, {"request_id": request_id, "label": label}) == (1, 0, [])
    assert history(warehouse, request_id) == [9, 10, 9]
    assert [row["true_number"] for row in truths(warehouse, request_id)] == [9]


def test_a_time_that_is_told_later_is_a_correction(book: Book, log: Callable[..., str], warehouse: Warehouse) -> None:
    request_id = uuid4().hex
    log(request_id)
    keep(book, {"request_id": request_id, "label": 9})

    assert keep(book, {"request_id": request_id, "label": 9, "observed_at": NOON}) == (1, 0, [])
    assert [row["observed_at"] for row in truths(warehouse, request_id)] == [datetime(2026, 5, 1, 12, tzinfo=UTC)]


def test_what_is_kept_names_who_brought_it_and_cannot_be_changed(
    book: Book, log: Callable[..., str], warehouse: Warehouse
) -> None:
    request_id = uuid4().hex
    log(request_id)
    keep(book, {"request_id": request_id, "label": 9}, key_name="alice")

    (kept,) = warehouse.rows("SELECT * FROM serving.labels WHERE request_id = %(id)s", {"id": request_id})
    assert (kept["use_case"], kept["model_version"], kept["key_name"]) == ("rents", 3, "alice")
    for change in ("UPDATE serving.labels SET true_number = 0", "DELETE FROM serving.labels"):
        with pytest.raises(psycopg2.errors.RaiseException, match="is a ledger"):
            warehouse.execute(change)


def test_what_is_not_in_the_log_is_told_and_the_rest_is_stored(
    book: Book, log: Callable[..., str], warehouse: Warehouse
) -> None:
    here, many, twice = (uuid4().hex for _ in range(3))
    elsewhere, hidden, beyond = log("elsewhere", use_case="letters"), log("hidden", role="shadow"), ids.fresh()
    log(here)
    log(twice)
    log(twice)
    answer_id = log(many, size=2)

    assert keep(
        book,
        {"prediction_id": beyond, "label": 1},
        {"prediction_id": elsewhere, "label": 1},
        {"prediction_id": hidden, "label": 1},
        {"prediction_id": ids.predictions(answer_id, 3)[2], "label": 1},
        {"request_id": "nobody-knows", "label": 1},
        {"request_id": many, "label": 1},
        {"request_id": many, "index": 2, "label": 1},
        {"request_id": twice, "label": 1},
        {"request_id": here, "label": 1},
    ) == (
        1,
        0,
        [
            "labels[0].prediction_id is not in the log",
            "labels[1].prediction_id is not in the log",
            "labels[2].prediction_id is not in the log",
            "labels[3].prediction_id is not in the log",
            "labels[4].request_id is not in the log",
            "labels[5].index is missing, and the answer has 2 predictions",
            "labels[6].index is out of range",
            "labels[7].request_id stands for several answers",
        ],
    )
    assert history(warehouse, here) == [1]
    assert history(warehouse, many) == []


def test_a_request_id_stands_for_the_answer_and_not_for_its_shadow(
    book: Book, log: Callable[..., str], warehouse: Warehouse
) -> None:
    request_id = uuid4().hex
    log(request_id, role="shadow")
    log(request_id, role="challenger")

    assert keep(book, {"request_id": request_id, "label": 1}) == (1, 0, [])
    assert [row["role"] for row in truths(warehouse, request_id)] == ["challenger"]


def test_an_id_that_everything_was_given_is_not_looked_up_whole(
    book: Book, log: Callable[..., str], warehouse: Warehouse
) -> None:
    same, other = uuid4().hex, uuid4().hex
    answers = [log(same) for _ in range(5)]
    log(other)

    looked = warehouse.rows(FIND, {"use_case": "rents", "answer_ids": [], "request_ids": [same, other]})
    assert sorted(row["request_id"] for row in looked) == sorted([same, same, other])
    assert keep(
        book,
        {"request_id": same, "label": 1},
        {"request_id": other, "label": 2},
        {"prediction_id": answers[4], "label": 3},
    ) == (2, 0, ["labels[0].request_id stands for several answers"])


def test_labels_that_take_the_warehouse_too_long_send_no_others_away(
    book: Book, log: Callable[..., str], warehouse: Warehouse
) -> None:
    request_id, asked = uuid4().hex, time.monotonic()
    log(request_id)
    given = told({"request_id": request_id, "label": 1})
    with closing(psycopg2.connect(warehouse.dsn)) as link, link, link.cursor() as cursor:
        cursor.execute(LOCK, {"use_case": "rents"})
        with pytest.raises(ProblemError) as caught:
            book.keep(given, None, asked)
    assert (caught.value.status, caught.value.kind) == (503, "busy")
    assert book.keep(given, None, asked).stored == 1


def test_labels_that_the_warehouse_cannot_hold_are_told_so_and_send_no_others_away(
    book: Book, log: Callable[..., str], warehouse: Warehouse
) -> None:
    odd, request_id, asked = uuid4().hex, uuid4().hex, time.monotonic()
    log(odd)
    log(request_id)
    # Text of the log that the labels' table has no way to hold.
    warehouse.execute(
        "UPDATE serving.answers SET predictions = NULL, labels = '{a}', probabilities = %(odd)s"
        " WHERE request_id = %(id)s",
        {"odd": '[{"\\u0000": 1.0}]', "id": odd},
    )
    with pytest.raises(ProblemError) as caught:
        book.keep(told({"request_id": odd, "label": 1}), None, asked)
    assert (caught.value.status, caught.value.kind) == (422, "contract")
    assert book.keep(told({"request_id": request_id, "label": 1}), None, asked).stored == 1


def test_two_labels_of_one_prediction_store_nothing(book: Book, log: Callable[..., str], warehouse: Warehouse) -> None:
    request_id, other = uuid4().hex, uuid4().hex
    answer_id = log(request_id)
    log(other)

    with pytest.raises(ProblemError) as caught:
        keep(
            book,
            {"request_id": other, "label": 1},
            {"prediction_id": answer_id, "label": 1},
            {"request_id": request_id, "label": 2},
        )
    assert [fault.path for fault in caught.value.errors] == ["labels[2]"]
    assert (history(warehouse, request_id), history(warehouse, other)) == ([], [])


def test_the_same_labels_from_many_at_once_are_stored_once(log: Callable[..., str], warehouse: Warehouse) -> None:
    request_id = uuid4().hex
    log(request_id, size=20)
    given = [{"request_id": request_id, "index": index, "label": index} for index in range(20)]
    books = [Book(warehouse.dsn, "rents") for _ in range(6)]
    with ThreadPoolExecutor(len(books)) as pool:
        counts = list(pool.map(lambda each: keep(each, *given), books))
    for each in books:
        each.close()

    assert sorted(counts) == [(0, 20, [])] * 5 + [(20, 0, [])]
    assert history(warehouse, request_id) == list(range(20))


def test_a_connection_that_was_cut_meanwhile_is_made_anew(
    book: Book, log: Callable[..., str], warehouse: Warehouse
) -> None:
    request_id = uuid4().hex
    log(request_id)
    keep(book, {"request_id": request_id, "label": 1})
    ended = warehouse.rows(
        "SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity"
        " WHERE application_name = 'sluice feedback rents' AND datname = current_database()"
    )
    assert ended

    assert keep(book, {"request_id": request_id, "label": 2}) == (1, 0, [])


def test_who_waited_behind_a_try_that_failed_does_not_wait_for_another() -> None:
    book = Book("postgresql://nobody@127.0.0.1:1/nowhere", "rents")
    for asked in (float("inf"), 0.0):
        with pytest.raises(ProblemError) as caught:
            book.keep(told({"request_id": "r", "label": 1}), None, asked)
        assert (caught.value.status, caught.value.kind) == (503, "warehouse-away")
    assert "now; send" in caught.value.detail


@pytest.fixture(scope="module")
def way(warehouse: Warehouse) -> Iterator[Relay]:
    """A way to the warehouse."""
    relay = Relay.before(warehouse.dsn)
    relay.mend()
    yield relay
    relay.cut()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a release that tells cheap flats from dear ones, and whose log has no incomes."""
    folder = bundles.write(tmp_path_factory.mktemp("bundle"), replace(BINARY, sensitive={"income": "drop"}))
    (folder / "release.json").write_text(json.dumps({"version": 3, "bento": "rents:3"}))
    return folder


@pytest.fixture(scope="module")
def service(serve: Callable[..., Service], warehouse: Warehouse, way: Relay, folder: Path) -> Service:
    """A service that tells cheap flats from dear ones."""
    dsn = way.around(warehouse.dsn)
    return serve(SLUICE_BUNDLE=str(folder), SLUICE_WAREHOUSE_DSN=dsn).wait()


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as connected:
        yield connected


def answered(client: httpx.Client, warehouse: Warehouse, *instances: dict[str, Any]) -> dict[str, Any]:
    """An answer that is in the log."""
    answer: dict[str, Any] = client.post("/api/v1/predict", json={"instances": instances}).json()
    statement = "SELECT size FROM serving.answers WHERE request_id = %(id)s"
    eventually(lambda: warehouse.rows(statement, {"id": answer["request_id"]}))
    return answer


def test_a_label_finds_its_prediction_from_answer_to_view(client: httpx.Client, warehouse: Warehouse) -> None:
    answer = answered(client, warehouse, EXAMPLE, EXAMPLE | {"income": 1})
    first, second = answer["predictions"]
    given = [
        {"prediction_id": second["prediction_id"], "label": "N", "observed_at": NOON},
        {"request_id": answer["request_id"], "index": 0, "label": "Y"},
        {"request_id": "not-yet", "label": "Y"},
    ]

    told = client.post(ADDRESS, json={"labels": given}, headers={"x-request-id": "told-1"})

    assert told.status_code == 200, told.text
    document = told.json()
    assert (document["stored"], document["unchanged"], document["request_id"]) == (2, 0, "told-1")
    assert [(fault["path"], fault["value"]) for fault in document["unknown"]] == [("labels[2].request_id", "not-yet")]
    assert told.headers["x-sluice-version"] == "3"
    rows = {str(row["prediction_id"]): row for row in truths(warehouse, answer["request_id"])}
    assert {name: row["true_label"] for name, row in rows.items()} == {
        first["prediction_id"]: "Y",
        second["prediction_id"]: "N",
    }
    row = rows[second["prediction_id"]]
    assert (row["label"], row["probabilities"]) == (second["prediction"], second["probabilities"])
    assert (row["use_case"], row["model_version"], row["role"]) == ("rents", 3, "champion")
    # The income is dropped.
    assert row["features"] == {"rooms": 3, "furnished": True, "place": "NEAR BAY"}
    assert row["observed_at"] == datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_labels_are_refused_in_words(client: httpx.Client) -> None:
    refusals = [
        (client.post(ADDRESS, content=b"{", headers={"content-type": "application/json"}), 400, "malformed-json"),
        (client.post(ADDRESS, content=b"{}"), 415, "unsupported-media-type"),
        (client.post(ADDRESS, json={"labels": [{"request_id": "r", "label": "Dear"}]}), 422, "contract"),
        (client.get(ADDRESS), 405, "method-not-allowed"),
    ]
    for answer, status, kind in refusals:
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:sluice:problem:{kind}")


def test_what_is_answered_is_what_the_description_says(client: httpx.Client, warehouse: Warehouse) -> None:
    described = client.get("/openapi.json").json()
    schemas = described["components"]["schemas"]
    known = {"components": {"schemas": schemas}}
    answer = answered(client, warehouse, EXAMPLE)
    example = schemas["Labels"]["example"]
    for given in (example, {"labels": [{"request_id": answer["request_id"], "label": "Y"}]}):
        jsonschema.validate(given, schemas["Labels"] | known)
        told = client.post(ADDRESS, json=given)
        assert told.status_code == 200, told.text
        jsonschema.validate(told.json(), schemas["Kept"] | known)
    for wrong in (
        {"request_id": "r", "label": "Dear"},
        {"label": "Y"},
        {"prediction_id": ID, "index": 0, "label": "Y"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"labels": [wrong]}, schemas["Labels"] | known)


def test_labels_are_counted(client: httpx.Client, warehouse: Warehouse) -> None:
    def counted() -> float:
        lines = client.get("/metrics").text.splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith("feedback_labels_total"))

    before, answer = counted(), answered(client, warehouse, EXAMPLE)
    for _ in range(2):
        client.post(ADDRESS, json={"labels": [{"request_id": answer["request_id"], "label": "N"}]})
    assert counted() == before + 1


def test_while_the_warehouse_is_away_labels_are_refused_and_predictions_are_not(
    client: httpx.Client, warehouse: Warehouse, way: Relay
) -> None:
    answer = answered(client, warehouse, EXAMPLE)
    given = {"labels": [{"request_id": answer["request_id"], "label": "N"}]}
    way.cut()
    try:
        refused = client.post(ADDRESS, json=given)
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:sluice:problem:warehouse-away")
        assert int(refused.headers["retry-after"]) > 0
        assert client.post("/api/v1/predict", json={"instances": [EXAMPLE]}).status_code == 200
    finally:
        way.mend()
    assert truths(warehouse, answer["request_id"]) == []
    told = client.post(ADDRESS, json=given)
    assert (told.status_code, told.json()["stored"]) == (200, 1)


def test_labels_need_a_key_and_are_kept_with_its_name(
    serve: Callable[..., Service], warehouse: Warehouse, log: Callable[..., str], folder: Path, tmp_path: Path
) -> None:
    request_id, key = uuid4().hex, "slk_only-for-tests"
    log(request_id)
    keys = tmp_path / "keys.jsonl"
    keys.write_text(json.dumps({"name": "alice", "sha256": hashlib.sha256(key.encode()).hexdigest()}))
    environment = {"SLUICE_ACCESS": "keys", "SLUICE_API_KEYS": str(keys), "SLUICE_WAREHOUSE_DSN": warehouse.dsn}
    service = serve(SLUICE_BUNDLE=str(folder), **environment).wait()
    given = {"labels": [{"request_id": request_id, "label": "Y"}]}

    assert httpx.post(service.url + ADDRESS, json=given).status_code == 401
    assert httpx.post(service.url + ADDRESS, json=given, headers={"x-api-key": key}).status_code == 200

    statement = "SELECT key_name FROM serving.labels WHERE request_id = %(id)s"
    assert warehouse.rows(statement, {"id": request_id}) == [{"key_name": "alice"}]


def test_a_service_without_a_warehouse_says_so(serve: Callable[..., Service], folder: Path) -> None:
    service = serve(SLUICE_BUNDLE=str(folder)).wait()
    refused = httpx.post(service.url + ADDRESS, json={"labels": [{"request_id": "r", "label": "Y"}]})
    assert refused.status_code == 503
    assert "SLUICE_WAREHOUSE_DSN is not set" in refused.json()["detail"]
