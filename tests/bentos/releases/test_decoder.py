"""The short way from a body to rows: it never takes what the long way would refuse, and reads the same values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tabular.errors import BundleError
from tabular.problem import ProblemError
from tabular.releases.contract import Contract
from tabular.releases.decoder import Decoder
from tabular.releases.reading import parse
from tabular.releases.schema import Schema
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, Recipe

RECIPES = {
    "reject": Recipe().with_limits(missing="reject", unknown_fields="reject"),
    "impute": Recipe().with_limits(missing="impute", unknown_fields="ignore"),
    "unseen": Recipe().with_limits(unseen_category="most_frequent"),
}
CONTRACTS = {
    name: Contract.model_validate_json(json.dumps(bundles.contract(recipe))) for name, recipe in RECIPES.items()
}
BOTH = {name: (Decoder(contract), Schema(contract)) for name, contract in CONTRACTS.items()}

#: Values as they may stand in a body, right or wrong.
NUMBERS = ("8.5", "3", "3.0", "0", "-0", "-0.0", "20", "20.0", "21", "1e1", "1e999", "12345678901234567890123")
WORDS = ('"true"', '"3"', '"NEAR BAY"', '"INLAND"', '"NEAR\\u0020BAY"', '"MOON"', '""', '"a:b"', '"\\ud800"', '"\x7f"')
OTHERS = ("null", "true", "false", "[]", "{}", "NaN", "Infinity", "-Infinity", '"\\u0000"')
TEXTS = st.sampled_from([*NUMBERS, *WORDS, *OTHERS]) | st.floats(allow_nan=False, allow_infinity=False).map(json.dumps)
NAMES = st.sampled_from([*EXAMPLE, "colour", "inc\\u006fme", "place "])


@st.composite
def instances(draw: st.DrawFn) -> str:
    """An instance that is right but for a few changes, with its pairs in any order."""
    pairs = [(name, json.dumps(value)) for name, value in EXAMPLE.items()]
    for _ in range(draw(st.integers(0, 3))):
        change = draw(st.sampled_from(["value", "name", "repeat", "leave out"]))
        place = draw(st.integers(0, len(pairs) - 1)) if pairs else 0
        if change == "repeat" or not pairs:
            pairs.append((draw(NAMES), draw(TEXTS)))
        elif change == "leave out":
            del pairs[place]
        else:
            name, value = pairs[place]
            pairs[place] = (name, draw(TEXTS)) if change == "value" else (draw(NAMES), value)
    return "{" + ", ".join(f'"{name}": {value}' for name, value in draw(st.permutations(pairs))) + "}"


def checked(schema: Schema, body: bytes) -> Any:
    """What the long way gives."""
    try:
        return [tuple(row) for row in schema.check(parse(body))]
    except ProblemError as problem:
        return problem.kind


@given(name=st.sampled_from(sorted(BOTH)), rows=st.lists(instances(), max_size=3), extra=st.sampled_from(["", "x"]))
@example(name="impute", rows=['{"income": 1, "income": 2, "furnished": true, "place": "INLAND"}'], extra="")
def test_what_it_takes_the_long_way_takes_too_with_the_same_values(name: str, rows: list[str], extra: str) -> None:
    decoder, schema = BOTH[name]
    body = f'{{"instances": [{", ".join(rows)}]}}{extra}'.encode("utf-8", "surrogatepass")
    taken = decoder.instances(body)
    if taken is not None:
        assert taken == checked(schema, body)
        assert [list(map(type, row)) for row in taken] == [list(map(type, row)) for row in checked(schema, body)]


@given(name=st.sampled_from(sorted(BOTH)), row=instances())
def test_a_flat_object_is_read_like_an_instance(name: str, row: str) -> None:
    decoder, schema = BOTH[name]
    taken = decoder.instance(row.encode())
    if taken is not None:
        assert taken == checked(schema, f'{{"instances": [{row}]}}'.encode())


@pytest.mark.parametrize("name", sorted(BOTH))
def test_what_is_in_order_goes_the_short_way(name: str) -> None:
    decoder, _ = BOTH[name]
    row = (8.5, 3, True, "NEAR BAY")
    assert decoder.instances(json.dumps({"instances": [EXAMPLE] * 50}).encode()) == [row] * 50
    assert decoder.instance(json.dumps(EXAMPLE).encode()) == [row]


@pytest.mark.parametrize(
    "text",
    [
        '{"income": 1, "income": 2, "rooms": 3, "furnished": true, "place": "INLAND"}',
        '{"income": 1, "rooms": 3, "rooms": 3, "furnished": true, "place": "INLAND"}',
        '{"income": 1, "furnished": true, "furnished": true, "place": "INLAND"}',
        '{"income": 1, "rooms": 3, "furnished": true, "place": "INLAND", "pl\\u0061ce": "INLAND"}',
    ],
    ids=["the first", "the second", "in place of one that may be missing", "in other writing"],
)
def test_a_name_that_occurs_twice_never_goes_the_short_way(text: str) -> None:
    for decoder, _ in BOTH.values():
        assert decoder.instances(f'{{"instances": [{text}]}}'.encode()) is None
        assert decoder.instance(text.encode()) is None


def test_inputs_of_any_name_and_without_known_categories_are_read() -> None:
    document = bundles.contract(Recipe().with_limits(unseen_category="ignore"))
    for given_input in document["inputs"]:
        given_input["name"] += " né "
        if given_input["type"] == "category":
            given_input["categories"] = None
    decoder = Decoder(Contract.model_validate_json(json.dumps(document)))
    row = {f"{name} né ": value for name, value in EXAMPLE.items()}
    assert decoder.instance(json.dumps(row).encode()) == [tuple(EXAMPLE.values())]
    assert decoder.instance(json.dumps(row | {"place né ": "x" * 201}).encode()) is None


def test_a_name_that_no_spec_can_have_is_refused() -> None:
    document = bundles.contract(Recipe())
    document["inputs"][0]["name"] = 'in"come'
    with pytest.raises(BundleError, match="odd name"):
        Decoder(Contract.model_validate_json(json.dumps(document)))
