"""Boosting: scikit-learn's and LightGBM's gradient boosting as graphs."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from sluice.domain.errors import ConversionError, SpecError
from sluice.domain.measures import Task
from sluice.training.graph import trees
from sluice.training.graph.draft import Draft
from sluice.training.graph.responses import Response

#: LightGBM takes a number that is no further from 0 than this for 0 (`kZeroThreshold`, in single precision).
ZERO = float(np.float32(1e-35))

#: What a LightGBM model may have learned to minimise: its answer, summed over the trees, is then on this scale.
_OBJECTIVES: dict[str, Literal["number", "log_odds"]] = {
    "regression": "number",
    "binary sigmoid:1": "log_odds",
    "multiclass": "log_odds",
}

# Bits of LightGBM's `decision_type`.
_CATEGORICAL = 1
_DEFAULT_LEFT = 2
_MISSING_TYPE = 12
_MISSING_IS_ZERO = 4
_MISSING_IS_NAN = 8


def estimator(task: Task, **parameters: Any) -> Any:
    """An estimator of LightGBM, not fitted yet.

    Raises:
        SpecError: The machine lacks the shared library that LightGBM needs.
    """
    try:
        # Local: a large library, which only the use cases that name it need.
        import lightgbm
    except OSError as error:
        raise SpecError(
            f"LightGBM cannot be loaded: {error}",
            "training.families.lightgbm",
            "install OpenMP: `apt-get install libgomp1`, on a Mac `brew install libomp`; or take the family out",
        ) from error
    kind = lightgbm.LGBMRegressor if task == "regression" else lightgbm.LGBMClassifier
    return kind(**parameters)


def scikit(draft: Draft, model: Any, matrix: str) -> Response:
    """Write a fitted HistGradientBoostingRegressor or HistGradientBoostingClassifier.

    Args:
        draft: The graph.
        model: The fitted estimator.
        matrix: Name of the doubles it sees, shape (rows, features).

    Raises:
        ConversionError: The loss answers on another scale, or a split is on categories.
    """
    classes = len(getattr(model, "classes_", ()))
    if model.loss != ("log_loss" if classes else "squared_error"):
        raise ConversionError(f"boosting with the loss {model.loss!r} has no writer", action="use the usual loss")
    rounds = model._predictors  # noqa: SLF001 - no public door
    targets = [[_of_scikit(one.nodes) for one in column] for column in zip(*rounds, strict=True)]
    start = draft.doubles(model._baseline_prediction.reshape(1, -1))  # noqa: SLF001 - no public door
    total = draft.node("Add", trees.total(draft, matrix, targets), start)
    return Response(total, "log_odds" if classes else "number", classes)


def lightgbm(draft: Draft, model: Any, matrix: str) -> Response:
    """Write a fitted LGBMRegressor or LGBMClassifier.

    Args:
        draft: The graph.
        model: The fitted estimator.
        matrix: Name of the doubles it sees, shape (rows, features).

    Raises:
        ConversionError: It was learned in a way whose answer is not a sum of plain trees.
    """
    header, *sections = model.booster_.model_to_string().split("\nTree=")
    head = header.splitlines()
    known = dict(line.split("=", 1) for line in head if "=" in line)
    objective = known.get("objective", "")
    kind = _OBJECTIVES.get(objective.partition(" num_class:")[0])
    if kind is None or "average_output" in head:
        raise ConversionError(
            f"LightGBM's objective {objective or 'of its own'!r} has no writer", action="use the usual one of the task"
        )
    grown = [_of_lightgbm(section.partition("\n\n\n")[0]) for section in sections]
    columns = int(known["num_tree_per_iteration"])
    # In this library's eyes the smallest numbers are 0.
    tiny = draft.node("LessOrEqual", draft.node("Abs", matrix), draft.doubles([[ZERO]]))
    seen = draft.node("Where", tiny, draft.doubles([[0.0]]), matrix)
    total = trees.total(draft, seen, [grown[column::columns] for column in range(columns)])
    return Response(total, kind, len(model.classes_) if kind == "log_odds" else 0)


def _of_scikit(records: Any) -> trees.Nodes:
    leaf = records["is_leaf"].astype(bool)
    if records["is_categorical"][~leaf].any():
        raise _categories()
    return trees.grown(
        leaf=leaf,
        feature=records["feature_idx"],
        threshold=records["num_threshold"],
        missing_left=records["missing_go_to_left"],
        left=records["left"],
        right=records["right"],
        weights=records["value"],
    )


def _of_lightgbm(section: str) -> trees.Nodes:
    """One tree of the text that LightGBM saves, which holds every double in full."""
    fields = dict(line.split("=", 1) for line in section.splitlines() if "=" in line)
    weights = np.array(fields["leaf_value"].split(), dtype=np.float64)
    if fields["is_linear"] != "0":
        raise ConversionError("a tree with linear leaves has no writer", action="leave `linear_tree` off")
    if len(weights) == 1:
        return trees.constant(weights)
    decision = np.array(fields["decision_type"].split(), dtype=np.int64)
    if (decision & _CATEGORICAL).any():
        raise _categories()
    missing = decision & _MISSING_TYPE
    if (missing == _MISSING_IS_ZERO).any():
        raise ConversionError("trees that take 0 for missing have no writer", action="leave `zero_as_missing` off")
    threshold = np.array(fields["threshold"].split(), dtype=np.float64)
    # Where no row had a gap, a gap counts as 0.
    missing_left = np.where(missing == _MISSING_IS_NAN, decision & _DEFAULT_LEFT > 0, threshold >= 0)
    left = np.array(fields["left_child"].split(), dtype=np.int64)
    right = np.array(fields["right_child"].split(), dtype=np.int64)
    return trees.Nodes(
        feature=np.array(fields["split_feature"].split(), dtype=np.int64),
        threshold=threshold,
        missing_left=missing_left.astype(np.int64),
        # Leaves are numbered from -1 downwards.
        left=np.where(left < 0, ~left, left),
        left_is_leaf=(left < 0).astype(np.int64),
        right=np.where(right < 0, ~right, right),
        right_is_leaf=(right < 0).astype(np.int64),
        weights=weights,
    )


def _categories() -> ConversionError:
    return ConversionError("a split on native categories has no writer", action="encode the categories one-hot")
