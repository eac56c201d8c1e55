"""What the contract allows in a request, and how everything that is wrong with one is told."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from tabular.problem import MOST_FAULTS, ProblemError
from tabular.releases.contract import Contract
from tabular.releases.reading import parse
from tabular.releases.schema import Schema
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, Recipe


def schema(**limits: Any) -> Schema:
    document = bundles.contract(Recipe().with_limits(**limits))
    return Schema(Contract.model_validate_json(json.dumps(document)))


def faults(document: Any, **limits: Any) -> list[tuple[str, str]]:
    with pytest.raises(ProblemError) as caught:
        schema(**limits).check(document)
    return [(fault.path, fault.message) for fault in caught.value.errors]


def one(**changes: Any) -> dict[str, Any]:
    return {"instances": [EXAMPLE | changes]}


def test_a_good_request_becomes_columns_of_doubles_and_text() -> None:
    checked = schema()
    tensors = checked.tensors(checked.check({"instances": [EXAMPLE, EXAMPLE | {"rooms": None, "furnished": False}]}))
    assert tensors["income"].tolist() == [[8.5], [8.5]]
    assert tensors["furnished"].tolist() == [[1.0], [0.0]]
    assert tensors["place"].tolist() == [["NEAR BAY"], ["NEAR BAY"]]
    assert tensors["rooms"][0, 0] == 3
    assert np.isnan(tensors["rooms"][1, 0])
    assert {tensors[name].dtype for name in bundles.DOUBLES} == {np.dtype("float64")}


def test_every_fault_of_every_instance_is_told_at_once() -> None:
    document = {
        "instances": [
            EXAMPLE | {"income": "high", "furnished": 1},
            EXAMPLE,
            {"income": math.inf, "rooms": 2.5, "place": "MOON", "colour": "red"},
        ]
    }
    assert faults(document) == [
        ("instances[0].income", "is not a number"),
        ("instances[0].furnished", "is not a boolean"),
        ("instances[2].colour", "is not an input of this model"),
        ("instances[2].income", "is not a finite number"),
        ("instances[2].rooms", "is not a whole number"),
        ("instances[2].furnished", "is missing"),
        ("instances[2].place", "is not one of the categories"),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"income": True}, "is not a number"),
        ({"income": -0.001}, "is out of range"),
        ({"income": 10**400}, "is not a finite number"),
        ({"income": None}, "is null"),
        ({"income": [1]}, "is not a number"),
        ({"rooms": "3"}, "is not a number"),
        ({"furnished": "true"}, "is not a boolean"),
        ({"place": 5}, "is not text"),
        ({"place": ""}, "is not one of the categories"),
    ],
)
def test_a_wrong_value_is_told_with_its_path(changes: dict[str, Any], message: str) -> None:
    (name,) = changes
    assert faults(one(**changes)) == [(f"instances[0].{name}", message)]


def test_a_fault_says_what_was_sent_and_what_is_allowed() -> None:
    with pytest.raises(ProblemError) as caught:
        schema().check(one(income=21))
    (fault,) = caught.value.errors
    assert (fault.value, fault.allowed) == (21, "a finite number from 0 to 20, in 10k USD")


@pytest.mark.parametrize("value", [4, 4.0])
def test_a_whole_number_may_be_written_with_a_point(value: float) -> None:
    schema().check(one(rooms=value))


@pytest.mark.parametrize("missing", ["null", "absent"])
def test_a_nullable_input_may_be_missing_where_the_graph_imputes(missing: str) -> None:
    instance = EXAMPLE | {"rooms": None}
    if missing == "absent":
        del instance["rooms"]
    schema(missing="impute").check({"instances": [instance]})
    assert [path for path, _ in faults({"instances": [instance]}, missing="reject")] == ["instances[0].rooms"]


def test_unknown_fields_are_dropped_where_the_policy_says_so() -> None:
    checked = schema(unknown_fields="ignore")
    assert checked.check(one(colour="red")) == checked.check(one())


def test_a_misspelt_field_gets_a_hint() -> None:
    with pytest.raises(ProblemError) as caught:
        schema().check(one(incme=1))
    assert caught.value.errors[0].allowed == "did you mean income?"


@pytest.mark.parametrize("policy", ["ignore", "most_frequent"])
def test_an_unseen_category_passes_where_the_policy_knows_what_to_do_with_it_and_it_is_text(policy: str) -> None:
    tolerant = schema(unseen_category=policy)
    rows = tolerant.check(one(place="ATLANTIS"))
    # What stands in for it is up to the graph.
    assert tolerant.tensors(rows)["place"].tolist() == [["ATLANTIS"]]
    for text in ("", "\x00", "\ud800", "x" * 500):
        assert faults(one(place=text), unseen_category=policy)[0][0] == "instances[0].place"


def test_a_name_that_occurs_twice_is_told() -> None:
    text = b'{"instances": [{"income": 1, "income": 2, "rooms": 3, "furnished": true, "place": "INLAND"}]}'
    assert faults(parse(text)) == [("instances[0].income", "occurs more than once")]


def test_the_list_of_faults_is_bounded() -> None:
    document = {"instances": [{f"{i} x": i for i in range(5000)}] * 40}
    assert len(faults(document)) == MOST_FAULTS


def test_a_problem_can_always_be_written() -> None:
    with pytest.raises(ProblemError) as caught:
        schema().check(one(**{"\ud800": "\udfff" * 500, "place": "\ud800", "income": math.nan, "rooms": 7**9999}))
    problem = json.loads(caught.value.body("r"))
    assert [fault["path"] for fault in problem["errors"]] == [
        r'instances[0]["\ud800"]',
        "instances[0].income",
        "instances[0].rooms",
        "instances[0].place",
    ]


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000, b"1" * 5000, b"\xef\xbb\xbf{}", b"{'a': 1}"])
def test_what_is_not_json_is_said_to_be_so(text: bytes) -> None:
    with pytest.raises(ProblemError) as caught:
        parse(text)
    assert (caught.value.status, caught.value.kind) == (400, "malformed-json")
