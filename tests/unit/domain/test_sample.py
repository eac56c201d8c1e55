"""What a sample's declaration may say."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from pydantic import ValidationError

from sluice.domain.sample import Sample

DOCUMENT: dict[str, Any] = {
    "rows": 10,
    "seed": 1,
    "levels": [0, 0.5, 1],
    "groups": {"columns": ["x"], "members": {"a": {"share": 1, "center": [0], "spread": [1]}}},
    "columns": {
        "y": {"quantiles": [1, 2, 3]},
        "z": {"product": ["x", "y"]},
        "kind": {"shares_by_group": {"a": {"one": 1}}},
    },
    "target": {"column": "t", "base": 0, "noise": 1, "effects": [{"column": "y", "at": [1, 3], "add": [0, 1]}]},
    "drift": {"more": {"shift": {"y": 1}}},
}


def changed(path: str, value: Any) -> str:
    """The document as JSON, with the value at a dotted path replaced."""
    document = deepcopy(DOCUMENT)
    *parents, last = path.split(".")
    place: Any = document
    for name in parents:
        place = place[int(name)] if isinstance(place, list) else place[name]
    place[last] = value
    return json.dumps(document)


def test_everything_that_is_drawn_is_named_the_target_last() -> None:
    assert Sample.model_validate_json(json.dumps(DOCUMENT)).produced == ("x", "y", "z", "kind", "t")


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("levels", [0, 0.7, 0.5, 1], "must rise from 0 to 1"),
        ("levels", [0, 0.5], "must rise from 0 to 1"),
        ("columns.y", {"quantiles": [1, 2]}, "needs 3 values"),
        ("columns.y", {"normal": [0, 1], "constant": 2}, "exactly one of .* given: normal, constant"),
        ("columns.y", {}, "given: none"),
        ("columns.z", {"product": ["x", "later"]}, "no 'later'"),
        ("columns.kind", {"shares_by_group": {"b": {"one": 1}}}, "no 'b'"),
        ("columns.kind", {"shares_by_group": {}}, "every group needs its shares"),
        ("columns.kind", {"shares_by_bin": {"column": "y", "edges": [2], "shares": [{"one": 1}]}}, "2 entries|2 bins"),
        ("columns.kind", {"shares_by_bin": {"column": "y", "edges": [2, 1], "shares": []}}, "do not rise"),
        ("groups.members.a", {"share": 1, "center": [0, 1], "spread": [1]}, "`center` and `spread` need 1"),
        ("groups.members.a", {"share": 1, "center": [0], "spread": [1], "scores": {"z": 1}}, "no 'z'"),
        ("correlations", [["y", "z", 0.5]], "no 'z'"),
        ("correlations", [["y", "y", 1.5]], "not between -1 and 1"),
        ("target.effects", [{"column": "w", "at": [1, 2], "add": [1, 2]}], "no 'w'"),
        ("target.effects", [{"column": "y", "at": [1, 2], "add": [1]}], "one number for each"),
        ("target.effects", [{"column": "y", "at": [2, 1], "add": [1, 1]}], "does not rise"),
        ("target.effects", [{"column": "y", "add": [1]}], "`at`"),
        ("drift.more", {"shift": {"kind": 1}}, "no 'kind'"),
        ("drift.more", {"shares": {"y": {"one": 1}}}, "no 'y'"),
        ("drift.more", {"missing": {"t": 1}}, "no 't'"),
        ("drift.more", {"effects": {"z": 2}}, "no 'z'"),
        ("columns.z", {"product": ["x", "z"]}, "no 'z'"),
        ("columns.z", {"quotient": ["x", "later"]}, "no 'later'"),
        ("columns.z", {"quotient": ["x"]}, "Field required"),
        ("columns.more", {"product": ["y", "kind"]}, "no 'kind'"),
        ("target.effects", [{"column": "kind", "at": [1, 2], "add": [1, 2]}], "by `at`: there is no 'kind'"),
        ("target.effects", [{"column": "group", "at": [1, 2], "add": [1, 2]}], "by `at`: there is no 'group'"),
        ("target.effects", [{"column": "y", "add": {"one": 1}}], "by category: there is no 'y'"),
        ("target", {"column": "t", "classes": {"only": {}}}, "at least 2"),
        ("target", {"column": "t", "classes": {"a": {}, "b": {}}, "temperature": -1}, "greater than or equal to 0"),
        (
            "target",
            {"column": "t", "classes": {"a": {}, "b": {"effects": [{"column": "w", "add": {"one": 1}}]}}},
            "no 'w'",
        ),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(path: str, value: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Sample.model_validate_json(changed(path, value))


OF_CLASSES: dict[str, Any] = {
    "column": "t",
    "classes": {"a": {}, "b": {"base": 1, "effects": [{"column": "kind", "add": {"one": 1}}]}},
}


def test_a_target_of_classes_tells_them_and_has_no_decimals() -> None:
    found = Sample.model_validate_json(json.dumps(DOCUMENT | {"target": OF_CLASSES}))
    drawn = {name: sorted(found.drawn_as_text(name)) for name in ("t", "kind", "y")}
    assert drawn == {"t": ["a", "b"], "kind": ["one"], "y": []}
    assert (found.decimals("t"), found.decimals("x"), found.decimals("y")) == (0, 2, 4)


@pytest.mark.parametrize("change", [{"shift": {"t": 1}}, {"scale": {"t": 2}}], ids=["shift", "scale"])
def test_classes_cannot_be_shifted_like_a_number(change: dict[str, Any]) -> None:
    Sample.model_validate_json(json.dumps(DOCUMENT | {"drift": {"more": change}}))
    with pytest.raises(ValidationError, match="no 't'"):
        Sample.model_validate_json(json.dumps(DOCUMENT | {"target": OF_CLASSES, "drift": {"more": change}}))


def test_groups_need_no_place() -> None:
    members = {"a": {"share": 1}}
    found = Sample.model_validate_json(
        changed("groups", {"members": members}).replace('"product": ["x", "y"]', '"constant": 1')
    )
    assert found.produced == ("y", "z", "kind", "t")
