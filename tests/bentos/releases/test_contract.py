"""The reader in `bentos/` and the schema generated from `domain` say the same."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from sluice.domain import contract as domain
from tabular.errors import BundleError
from tabular.releases import contract as documents
from tabular.releases.contract import Contract, Golden
from tabular.settings import PACKAGE
from tests.bentos import bundles
from tests.bentos.bundles import Recipe

SCHEMA = json.loads((PACKAGE / "contract.schema.json").read_text())
GOOD = bundles.contract(Recipe())
CLASSES = bundles.contract(bundles.BINARY)


def shape(schema: Any) -> Any:
    """A schema without what it only says to people."""
    if isinstance(schema, dict):
        return {key: shape(value) for key, value in schema.items() if key != "description" or isinstance(value, dict)}
    return [shape(part) for part in schema] if isinstance(schema, list) else schema


def test_the_reader_has_the_shape_of_the_schema() -> None:
    assert shape(Contract.model_json_schema()) == shape(SCHEMA)


def changed(*path: str | int, to: Any, of: dict[str, Any] = GOOD) -> dict[str, Any]:
    document = copy.deepcopy(of)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    if to is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return document


WRONG = {
    **{f"without {name}": changed(name, to=KeyError) for name in SCHEMA["required"]},
    "unknown member": changed("colour", to="red"),
    "unknown member of an input": changed("inputs", 0, "colour", to="red"),
    "unknown type": changed("inputs", 0, "type", to="vector"),
    "text for a bound": changed("inputs", 0, "minimum", to="0"),
    "other schema version": changed("schema_version", to=1),
    "other task": changed("task", to="ranking"),
    "level of 1": changed("interval", "level", to=1.0),
    "negative width": changed("interval", "half_width", to=-1.0),
    "unknown scale": changed("interval", "scale", to="square"),
    "class without a title": changed("output", "labels", 0, "title", to=KeyError, of=CLASSES),
    "class that is a number": changed("output", "labels", 0, "value", to=1, of=CLASSES),
    "positive class that is a number": changed("output", "positive", to=1, of=CLASSES),
    "threshold above 1": changed("prediction_set", "threshold", to=1.1, of=CLASSES),
    "text for a metric out of folds": changed("out_of_fold", to={"r2": "good"}),
    "limit as text": changed("limits", "max_instances", to="50"),
    "no instances": changed("limits", "max_instances", to=0),
    "more instances than ids": changed("limits", "max_instances", to=65_537),
    "unknown policy": changed("limits", "missing", to="guess"),
    "unknown policy on categories": changed("limits", "unseen_category", to="guess"),
    "unknown way with what is sensitive": changed("inputs", 1, "sensitive", to="mask"),
    "text for a flag": changed("inputs", 1, "nullable", to="yes"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_the_schema_refuses_the_reader_refuses(name: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(WRONG[name], SCHEMA)
    with pytest.raises(BundleError):
        documents.parse(Contract, json.dumps(WRONG[name]).encode(), "contract.json")


@pytest.mark.parametrize(
    "recipe",
    [Recipe(), bundles.LOGARITHMIC, bundles.BINARY, bundles.MULTICLASS, Recipe(sensitive={"income": "hash"})],
    ids=["number", "log", "two", "three", "sensitive"],
)
def test_what_the_domain_writes_the_reader_reads(recipe: Recipe) -> None:
    good = bundles.contract(recipe)
    jsonschema.validate(good, SCHEMA)
    written = domain.Contract.model_validate_json(json.dumps(good)).model_dump_json()
    read = documents.parse(Contract, written.encode(), "contract.json")
    assert json.loads(read.model_dump_json()) == json.loads(written)


def test_golden_rows_that_the_domain_writes_the_reader_reads() -> None:
    instances = ({"a": 1, "b": None, "c": "x", "d": True, "e": 0.5},)
    written = domain.Golden(instances=instances, predictions=((0.25, 0.75),))
    read = documents.parse(Golden, written.model_dump_json().encode(), "golden.json")
    assert (read.instances, read.predictions) == (written.instances, written.predictions)
    assert [type(value) for value in read.instances[0].values()] == [int, type(None), str, bool, float]


def test_a_fault_is_told_with_its_place() -> None:
    with pytest.raises(BundleError, match=r"contract\.json has 1 faults, the first at inputs\.0\.type"):
        documents.parse(Contract, json.dumps(WRONG["unknown type"]).encode(), "contract.json")


def test_numbers_that_json_does_not_have_are_refused() -> None:
    with pytest.raises(BundleError):
        documents.parse(Golden, b'{"instances": [{"a": 1}], "predictions": [[NaN]]}', "golden.json")
