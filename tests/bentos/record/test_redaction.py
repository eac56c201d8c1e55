"""What the log keeps of sensitive inputs: nothing, or a hash; and never the value."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from sluice.adapters.warehouse import Warehouse
from tabular.record.redaction import redaction
from tabular.releases import contract as documents
from tabular.releases.contract import Contract
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, Recipe, predict
from tests.bentos.servers import Service, eventually

KEY = "k" * 32
#: income, rooms, furnished, place.
ROW = (8.5, 3, True, "NEAR BAY")


def contract(**sensitive: str) -> Contract:
    document = bundles.contract(Recipe(sensitive=sensitive))
    return documents.parse(Contract, json.dumps(document).encode(), "contract.json")


def hashed(text: str) -> str:
    """What anyone with the key finds."""
    return hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()[:32]


def test_rows_without_anything_sensitive_are_logged_as_they_are() -> None:
    rows = [ROW]
    found = redaction(contract(), KEY.encode())
    assert found.rows(rows) is rows
    assert found.names == ["income", "rooms", "furnished", "place"]


def test_what_is_dropped_has_neither_name_nor_value() -> None:
    found = redaction(contract(income="drop", place="drop"), KEY.encode())
    assert found.names == ["rooms", "furnished"]
    assert found.rows([ROW, ROW]) == [[3, True]] * 2


def test_nothing_may_be_left() -> None:
    found = redaction(contract(income="drop", rooms="drop", furnished="drop", place="drop"), None)
    assert (found.names, found.rows([ROW])) == ([], [[]])


def test_a_hash_stands_for_the_value_and_tells_use_case_and_input() -> None:
    found = redaction(contract(income="hash", furnished="hash", place="hash"), KEY.encode())
    assert found.names == ["income", "rooms", "furnished", "place"]
    assert found.rows([ROW]) == [
        [hashed("rents.income=8.5"), 3, hashed("rents.furnished=1.0"), hashed("rents.place=NEAR BAY")]
    ]


@pytest.mark.parametrize(("one", "other", "same"), [(3, 3.0, True), (0.0, -0.0, True), (1, 2, False)])
def test_equal_numbers_have_one_hash(one: float, other: float, same: bool) -> None:
    found = redaction(contract(rooms="hash"), KEY.encode())
    (first,), (second,) = ([row[1]] for row in found.rows([(8.5, one, True, "INLAND"), (8.5, other, True, "INLAND")]))
    assert (first == second) is same


def test_another_key_gives_another_hash() -> None:
    found = [redaction(contract(place="hash"), key).rows([ROW])[0][3] for key in (b"a" * 16, b"b" * 16)]
    assert found[0] != found[1]


def test_what_is_missing_stays_missing() -> None:
    found = redaction(contract(rooms="hash"), KEY.encode())
    assert found.rows([(8.5, None, True, "INLAND")])[0][1] is None


@pytest.mark.parametrize("key", [None, b""], ids=["none", "empty"])
def test_without_a_key_what_should_be_hashed_is_dropped(key: bytes | None) -> None:
    found = redaction(contract(income="hash", place="drop"), key)
    assert found.names == ["rooms", "furnished"]
    assert found.rows([ROW]) == [[3, True]]
    assert found.unhashed == ["income"]


@pytest.fixture(scope="module")
def start(
    serve: Callable[..., Service], warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Service]:
    """Starts a service whose log hashes incomes and knows nothing of places."""
    folder = bundles.write(tmp_path_factory.mktemp("bundle"), Recipe(sensitive={"income": "hash", "place": "drop"}))
    (folder / "release.json").write_text(json.dumps({"version": 3, "bento": "rents:3"}))

    def begin(**environment: str) -> Service:
        return serve(SLUICE_BUNDLE=str(folder), SLUICE_WAREHOUSE_DSN=warehouse.dsn, **environment).wait()

    return begin


@pytest.fixture(scope="module")
def hashing(start: Callable[..., Service]) -> Service:
    """A service with a key."""
    return start(SLUICE_HASH_KEY=KEY)


def logged(warehouse: Warehouse, request_id: str) -> list[dict[str, Any]]:
    """The features of a request's predictions, once they are there."""
    statement = "SELECT features FROM serving.predictions WHERE request_id = %(request_id)s"
    rows: list[dict[str, Any]] = eventually(lambda: warehouse.rows(statement, {"request_id": request_id}))
    return [row["features"] for row in rows]


def everything(warehouse: Warehouse) -> str:
    """All that the log holds, as text."""
    return str(warehouse.rows("SELECT answers::text AS whole FROM serving.answers AS answers"))


def test_the_model_sees_what_the_log_does_not(hashing: Service, warehouse: Warehouse) -> None:
    secret = EXAMPLE | {"income": 17.71828}
    answer = hashing.predict(secret, secret | {"income": 17.5}).json()
    assert [row["prediction"] for row in answer["predictions"]] == [
        predict(secret, 100.0),
        predict(secret | {"income": 17.5}, 100.0),
    ]
    assert sorted(logged(warehouse, answer["request_id"]), key=json.dumps) == sorted(
        (
            {"income": hashed(f"rents.income={income}"), "rooms": 3, "furnished": True}
            for income in ("17.71828", "17.5")
        ),
        key=json.dumps,
    )
    assert "17.71828" not in everything(warehouse)
    assert "NEAR BAY" not in everything(warehouse)
    assert "SLUICE_HASH_KEY" not in hashing.log


def test_rows_of_a_file_are_logged_like_those_of_a_request(hashing: Service, warehouse: Warehouse) -> None:
    table = "income,rooms,furnished,place\n16.180339,3,true,NEAR BAY\n16.5,,false,INLAND\n"
    headers = {"content-type": "text/csv", "x-request-id": "file-1"}
    answer = httpx.post(f"{hashing.url}/predict/file", content=table, headers=headers)
    assert answer.status_code == 200, answer.text
    found = {row["income"]: row for row in logged(warehouse, "file-1")}
    first, second = (hashed(f"rents.income={income}") for income in ("16.180339", "16.5"))
    assert found == {
        first: {"income": first, "rooms": 3, "furnished": True},
        second: {"income": second, "rooms": None, "furnished": False},
    }
    assert "16.180339" not in everything(warehouse)


def test_without_a_key_the_log_says_from_the_start_what_it_lacks(
    start: Callable[..., Service], warehouse: Warehouse
) -> None:
    service = start()
    assert "SLUICE_HASH_KEY is not set: left out of the prediction log instead of hashed: income" in service.log
    answer = service.predict(EXAMPLE).json()
    assert logged(warehouse, answer["request_id"]) == [{"rooms": 3, "furnished": True}]


def test_a_key_that_could_be_guessed_is_refused(serve: Callable[..., Service], tmp_path: Path) -> None:
    service = serve(SLUICE_BUNDLE=str(bundles.write(tmp_path / "bundle")), SLUICE_HASH_KEY="short-secret")
    assert service.process
    assert service.process.wait(60) != 0
    assert "SLUICE_HASH_KEY: " in service.log
    assert "short-secret" not in service.log
