"""Which headers an upload may have, and what is told of the others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tabular.files.columns import Layout, layout, split
from tabular.problem import ProblemError
from tabular.releases.contract import Contract
from tabular.releases.schema import Schema
from tests.bentos import bundles
from tests.bentos.bundles import Recipe

ADDED = ["prediction", "prediction_id", "error"]


def held(line: bytes, **limits: Any) -> Layout:
    contract = Contract.model_validate_json(json.dumps(bundles.contract(Recipe().with_limits(**limits))))
    return layout(line, contract, Schema(contract), ADDED)


def faults(line: bytes, **limits: Any) -> list[tuple[str, str, str | None]]:
    with pytest.raises(ProblemError) as caught:
        held(line, **limits)
    assert (caught.value.status, caught.value.kind) == (422, "contract")
    return [(fault.path, fault.message, fault.allowed) for fault in caught.value.errors]


@pytest.mark.parametrize(
    "line", [b"income,rooms,furnished,place", b"place,furnished,rooms,income", b'"income","rooms",furnished,place']
)
def test_columns_come_in_any_order(line: bytes) -> None:
    assert sorted(held(line).names) == ["furnished", "income", "place", "rooms"]
    assert held(line).text == line.decode()


def test_a_column_may_be_left_out_where_its_values_may_be_missing() -> None:
    assert held(b"income,furnished,place").width == 3
    assert [path for path, *_ in faults(b"income,furnished,place", missing="reject")] == ["header.rooms"]


def test_every_fault_of_a_header_is_told_at_once() -> None:
    assert faults(b"incme,rooms,rooms,furnished,colour") == [
        ("header.incme", "is not an input of this model", "did you mean income?"),
        ("header.rooms", "occurs more than once", "each name once"),
        ("header.colour", "is not an input of this model", "one of: furnished, income, place, rooms"),
        ("header.income", "is missing", "a column of this name; is it what you call incme?"),
        ("header.place", "is missing", "a column of this name"),
    ]


def test_unknown_columns_pass_where_the_policy_says_so_but_for_those_of_the_answer() -> None:
    line = b"id,income,rooms,furnished,place"
    assert held(line, unknown_fields="ignore").width == 5
    assert faults(line + b",error", unknown_fields="ignore") == [
        ("header.error", "is a column of the answer", "another name")
    ]


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        (b"income;rooms;furnished;place", "separated by semicolons"),
        (b"income\trooms\tfurnished\tplace", "separated by tabs"),
        (b"inc\xf6me,rooms", "byte 3 is not UTF-8"),
        (b'income,"rooms', "a quote that is not closed"),
        ("income,rooms".encode("utf-16-le"), "a NUL byte"),
    ],
)
def test_what_is_no_header_is_told_apart(line: bytes, detail: str) -> None:
    with pytest.raises(ProblemError, match=detail) as caught:
        held(line)
    assert (caught.value.status, caught.value.kind) == (400, "malformed-csv")


@pytest.mark.parametrize(
    ("data", "last", "found"),
    [
        (b"a,b\n1,2\n", False, (b"a,b", b"\n1,2\n")),
        (b"a,b\r\n1,2", False, (b"a,b", b"\r\n1,2")),
        (b"\xef\xbb\xbfa,b\n", False, (b"a,b", b"\n")),
        (b"\n\n\r\na,b\n", False, (b"a,b", b"\n")),
        (b"a,b", False, None),
        (b"a,b", True, (b"a,b", b"")),
    ],
)
def test_the_first_line_that_is_not_empty_is_the_header(
    data: bytes, last: bool, found: tuple[bytes, bytes] | None
) -> None:
    assert split(data, last) == found


@pytest.mark.parametrize(
    ("data", "detail"), [(b"", "it is empty"), (b"\n\n", "it is empty"), (b"x" * 70_000, "longer")]
)
def test_an_upload_without_a_header_is_refused(data: bytes, detail: str) -> None:
    with pytest.raises(ProblemError, match=detail):
        split(data, True)
