"""What a spec may say of classes, features, slices, fairness and metrics."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from pydantic import ValidationError

from sluice.domain.use_case import UseCase

DOCUMENT: dict[str, Any] = {
    "name": "loans",
    "title": "Loans",
    "task": "binary",
    "target": "outcome",
    "positive_label": "repaid",
    "labels": {"repaid": "Repaid"},
    "owner": {"name": "Tests", "alerts": ["ops@example.test"]},
    "columns": [
        {"name": "income", "type": "number"},
        {"name": "debt", "type": "integer"},
        {"name": "home", "type": "category", "categories": ["own", "rent"]},
        {"name": "old", "type": "boolean", "role": "ignore"},
        {"name": "seen", "type": "timestamp", "role": "ignore"},
        {"name": "outcome", "type": "category", "categories": ["repaid", "lost"]},
    ],
    "features": {
        "ratios": [{"name": "burden", "numerator": "debt", "denominator": "income"}],
        "rotations": [{"name": "turned", "columns": ["income", "debt"], "degrees": [45]}],
        "clusters": [{"name": "near", "columns": ["income", "debt"], "k": [2, 5]}],
    },
    "training": {"families": {"logistic_regression": {}}},
    "gate": {
        "thresholds": {"f1": {"min": 0.8}},
        "slices": [
            {"column": "home", "thresholds": {"roc_auc": {"min": 0.7}}},
            {"column": "income", "edges": [10, 20], "thresholds": {"log_loss": {"max": 0.5}}},
        ],
        "fairness": [{"column": "old", "max_difference": 0.1}],
    },
    "serving": {"example": {"income": 1.0, "debt": 2, "home": "own"}},
}

REGRESSION: dict[str, Any] = {
    "task": "regression",
    "target": "debt",
    "positive_label": None,
    "labels": {},
    "training": {"families": {"ridge": {}}},
    "features": {},
    "gate": {"thresholds": {"r2": {"min": 0.8}}},
    "serving": {"example": {"income": 1.0, "home": "own", "outcome": "lost"}},
}


def spec(changes: dict[str, Any]) -> UseCase:
    """The document with the values at some dotted paths replaced."""
    document = deepcopy(DOCUMENT)
    for path, value in changes.items():
        *parents, last = path.split(".")
        place: Any = document
        for name in parents:
            place = place[int(name)] if isinstance(place, list) else place[name]
        place[int(last) if isinstance(place, list) else last] = value
    return UseCase.model_validate_json(json.dumps(document))


def outcome(**said: Any) -> dict[str, Any]:
    """A change of the target column."""
    return {"columns.5": {"name": "outcome"} | said}


@pytest.mark.parametrize(
    ("changes", "classes"),
    [
        ({}, ("lost", "repaid")),
        ({"positive_label": "lost", "labels": {}}, ("repaid", "lost")),
        (outcome(type="boolean") | {"positive_label": "true", "labels": {}}, ("false", "true")),
        (outcome(type="boolean") | {"positive_label": "false", "labels": {}}, ("true", "false")),
        (
            outcome(type="category", categories=["c", "a", "b"])
            | {"task": "multiclass", "positive_label": None, "labels": {"a": "A"}, "gate.fairness": []},
            ("c", "a", "b"),
        ),
        (REGRESSION, ()),
    ],
    ids=["binary", "other_positive", "boolean", "boolean_false", "multiclass", "regression"],
)
def test_classes_are_in_declared_order_with_the_positive_one_last(
    changes: dict[str, Any], classes: tuple[str, ...]
) -> None:
    assert spec(changes).classes == classes


@pytest.mark.parametrize(
    ("changes", "metrics"),
    [
        ({}, ("log_loss", "log_loss")),
        (REGRESSION, ("rmse", "rmse")),
        ({"training.metric": "roc_auc", "gate.change": {"metric": "f1"}}, ("roc_auc", "f1")),
    ],
    ids=["classes", "numbers", "declared"],
)
def test_what_is_searched_and_compared_by_follows_the_task_unless_declared(
    changes: dict[str, Any], metrics: tuple[str, str]
) -> None:
    found = spec(changes)
    assert (found.search_metric, found.change_metric) == metrics


def test_one_request_holds_no_more_than_its_predictions_have_ids() -> None:
    assert spec({"serving.max_instances": 65_536}).serving.max_instances == 65_536
    with pytest.raises(ValidationError, match="less than or equal to 65536"):
        spec({"serving.max_instances": 65_537})


def test_a_row_is_told_by_all_that_feeds_the_model_unless_declared() -> None:
    assert spec({}).identity == ("income", "debt", "home")
    assert spec({"training.split": {"identity": ["seen"]}}).identity == ("seen",)


MULTICLASS = {"task": "multiclass", "gate.fairness": []}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"positive_label": None}, "`positive_label` as one of them", id="binary_without_positive"),
        pytest.param({"positive_label": "won"}, "there are: repaid, lost", id="unknown_positive"),
        pytest.param(
            outcome(type="category", categories=["repaid", "lost", "open"]), "needs two classes", id="binary_of_three"
        ),
        pytest.param(
            MULTICLASS | {"positive_label": None}, "three classes or more, and no .*; it has 2", id="multiclass_of_two"
        ),
        pytest.param(
            MULTICLASS | outcome(type="category", categories=["repaid", "lost", "open"]),
            "and no `positive_label`",
            id="multiclass_with_positive",
        ),
        pytest.param({"labels": {"repayd": "Repaid"}}, "labels: .* did you mean 'repaid'", id="label_of_no_class"),
        pytest.param(outcome(type="integer"), "classes need a category or a boolean", id="classes_of_numbers"),
        pytest.param(
            outcome(type="category", categories=["repaid", "lost"], nullable=True), "is nullable", id="no_target"
        ),
        pytest.param({"training.target_transform": "log"}, "is for regression only", id="logarithm_of_classes"),
        pytest.param(REGRESSION | {"positive_label": "lost"}, "are for classes", id="positive_number"),
        pytest.param(REGRESSION | {"labels": {"1": "one"}}, "are for classes", id="label_of_a_number"),
        pytest.param(
            REGRESSION | {"training": {"families": {"ridge": {}}, "calibrate": "sigmoid"}},
            "are for classes",
            id="calibrated_number",
        ),
        pytest.param(
            REGRESSION | {"training": {"families": {"logistic_regression": {}}}},
            "use ridge",
            id="classifier_of_numbers",
        ),
        pytest.param(
            REGRESSION | {"target": "outcome", "serving": DOCUMENT["serving"]},
            "needs a number or an integer",
            id="regression_of_categories",
        ),
    ],
)
def test_a_target_that_does_not_fit_the_task_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        spec(changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"features.ratios.0.numerator": "home"}, "ratios 'burden'"),
        ({"features.ratios.0.denominator": "incom"}, "did you mean 'income'"),
        ({"features.rotations.0.columns": ["income", "home"]}, "rotations 'turned'"),
        ({"features.rotations.0.columns": ["income"]}, "features.rotations.0.columns"),
        ({"features.rotations.0.degrees": []}, "features.rotations.0.degrees"),
        ({"features.clusters.0.columns": ["outcome"]}, "clusters 'near'"),
        ({"features.clusters.0.k": [5, 2]}, "two rising ends"),
        ({"features.clusters.0.k": 1}, "must be 2 to 100"),
        ({"features.clusters.0.k": 101}, "must be 2 to 100"),
        ({"features.clusters.0.name": "burden"}, "'burden' is already the name"),
        ({"features.rotations.0.name": "seen"}, "'seen' is already the name"),
        ({"features.ratios.0.name": "_row"}, "Sluice's own"),
    ],
)
def test_a_feature_that_cannot_be_made_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        spec(changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"gate.slices.0.column": "hom"}, "did you mean 'home'"),
        ({"gate.slices.0.column": "seen"}, "gate.slices"),
        ({"gate.slices.0.edges": [1, 2]}, "'home' is a category and has no `edges`"),
        ({"gate.slices.1.edges": []}, "'income' is a number and needs `edges`"),
        ({"gate.slices.1.edges": [20, 10]}, "do not rise"),
        ({"gate.slices.1.edges": [10, 10]}, "do not rise"),
        ({"gate.slices.0.thresholds": {}}, "thresholds"),
        ({"gate.slices.0.thresholds": {"f1": {}}}, "needs `min`, `max` or both"),
        ({"gate.slices.0.min_rows": 1}, "min_rows"),
        ({"gate.fairness.0.column": "seen"}, "gate.fairness"),
        ({"gate.fairness.0.column": "debt"}, "'debt' is a integer and needs `edges`"),
        ({"gate.fairness.0.edges": [1]}, "'old' is a boolean and has no `edges`"),
        ({"gate.fairness.0.max_difference": None}, "needs `max_difference`, `min_ratio` or both"),
        ({"gate.fairness.0.max_difference": 1.5}, "max_difference"),
        ({"gate.fairness.0.metric": "f1"}, "selection_rate"),
        (
            {"task": "multiclass", "positive_label": None, **outcome(type="category", categories=["repaid", "b", "c"])},
            "judges models of two classes, and this one's task is multiclass",
        ),
    ],
)
def test_a_slice_or_a_fairness_limit_that_cannot_be_judged_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        spec(changes)


@pytest.mark.parametrize(
    ("demand", "says"),
    [
        ({"kind": "invariance", "column": "hom"}, "did you mean 'home'"),
        ({"kind": "invariance", "column": "old"}, "gate.behaviour 'invariance'"),
        ({"kind": "direction", "column": "home", "step": 1, "expect": "rise"}, "a direction needs a number"),
        ({"kind": "direction", "column": "income", "step": 0, "expect": "rise"}, "pushes nothing"),
        ({"kind": "direction", "column": "debt", "step": 0.5, "expect": "rise"}, "'debt' is an integer"),
        ({"kind": "direction", "column": "debt", "step": 1, "expect": "up"}, "'rise' or 'fall'"),
        (
            {"kind": "direction", "column": "debt", "step": 1, "expect": "rise", "label": "won"},
            "there are: lost, repaid",
        ),
        ({"kind": "magic", "column": "debt"}, "'invariance', 'direction'"),
    ],
)
def test_a_behaviour_that_cannot_be_demanded_is_refused(demand: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        spec({"gate.behaviour": [demand]})


def test_a_direction_of_many_classes_names_the_one_that_is_looked_at() -> None:
    three = {"task": "multiclass", "positive_label": None, "labels": {}, "gate.fairness": []}
    three |= outcome(type="category", categories=["a", "b", "c"])
    direction = {"kind": "direction", "column": "debt", "step": 1, "expect": "rise"}

    assert spec(three | {"gate.behaviour": [direction | {"label": "a"}]}).gate.behaviour[0].column == "debt"
    with pytest.raises(ValidationError, match="name the `label`"):
        spec(three | {"gate.behaviour": [direction]})


def test_slices_and_fairness_may_be_of_columns_that_feed_no_model_and_of_the_target() -> None:
    found = spec(
        {"gate.slices.0.column": "outcome", "gate.fairness.0": {"column": "debt", "edges": [5], "min_ratio": 0.8}}
    )
    assert found.gate.slices[0].column == "outcome"
    assert found.gate.fairness[0].metric == "selection_rate"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"gate.thresholds": {"r2": {"min": 0.8}}}, "gate.thresholds: 'r2' cannot judge a binary"),
        ({"gate.slices.1.thresholds": {"mape": {"max": 0.2}}}, "gate.slices 'income': 'mape'"),
        ({"training.metric": "rmse"}, "training.metric: 'rmse'"),
        ({"gate.change": {"metric": "mae"}}, "gate.change.metric: 'mae'"),
        (REGRESSION | {"gate": {"thresholds": {"f1": {"min": 0.8}}}}, "use one of: rmse, mae, mape, r2"),
    ],
)
def test_a_metric_that_cannot_judge_the_task_is_refused(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(ValidationError, match=place):
        spec(changes)


def test_what_waits_for_an_answer_must_be_kept_as_long() -> None:
    waiting = {"gate.approval": "required", "gate.approval_hours": 72}

    assert spec(waiting | {"retention": {"days": 3}}).retention.days == 3
    with pytest.raises(ValidationError, match=r"72 hours are longer than retention\.days"):
        spec(waiting | {"retention": {"days": 2}})


def test_values_of_what_feeds_the_model_may_be_kept_out_of_the_log() -> None:
    found = spec({"columns.0.sensitive": "drop", "columns.2.sensitive": "hash"})

    assert [column.sensitive for column in found.inputs] == ["drop", None, "hash"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"columns.0.sensitive": "mask"}, "'drop' or 'hash'"),
        ({"columns.0.sensitive": True}, "'drop' or 'hash'"),
        ({"columns.3.sensitive": "drop"}, "'old' has `role: ignore`: the prediction log never holds it"),
        ({"columns.5.sensitive": "hash"}, "'outcome' is predicted; only what feeds the model is `sensitive`"),
    ],
    ids=["no such way", "a flag", "not logged anyway", "the target"],
)
def test_what_cannot_be_kept_out_of_the_log_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        spec(changes)
