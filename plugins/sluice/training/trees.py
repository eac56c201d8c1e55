"""Trees: gradient boosting written as one TreeEnsemble operator in double precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import numpy_helper

from sluice.domain.errors import ConversionError
from sluice.training.draft import Draft

Array = np.ndarray[tuple[int], np.dtype[Any]]

_BRANCH_LEQ = 0


@dataclass(frozen=True)
class Nodes:
    """The nodes of some trees, as parallel arrays; a child counts inner nodes or leaves, as its flag says."""

    feature: Array
    threshold: Array
    missing_left: Array
    left: Array
    left_is_leaf: Array
    right: Array
    right_is_leaf: Array
    weights: Array


def boosting(draft: Draft, model: Any, matrix: str) -> str:
    """Write a fitted HistGradientBoostingRegressor.

    A comparison in double precision sends every row the way scikit-learn sends it, also a row that lies on a
    threshold or one step beside it.

    Args:
        draft: The graph.
        model: The fitted estimator.
        matrix: Name of the doubles it sees, shape (rows, features).

    Returns:
        Name of the predictions, shape (rows, 1).

    Raises:
        ConversionError: The loss answers in another unit than the target's, or a split is on categories.
    """
    if model.loss != "squared_error":
        raise ConversionError(f"boosting with the loss {model.loss!r} has no writer", action="use squared_error")
    trees = [inner_and_leaves(predictor.nodes) for (predictor,) in model._predictors]  # noqa: SLF001 - no public door
    nodes, roots = _joined(trees)
    total = draft.node(
        "TreeEnsemble",
        matrix,
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function=1,
        post_transform=0,
        tree_roots=roots,
        nodes_featureids=nodes.feature.tolist(),
        nodes_splits=numpy_helper.from_array(nodes.threshold),
        nodes_modes=numpy_helper.from_array(np.full(len(nodes.feature), _BRANCH_LEQ, dtype=np.uint8)),
        nodes_missing_value_tracks_true=nodes.missing_left.tolist(),
        nodes_truenodeids=nodes.left.tolist(),
        nodes_trueleafs=nodes.left_is_leaf.tolist(),
        nodes_falsenodeids=nodes.right.tolist(),
        nodes_falseleafs=nodes.right_is_leaf.tolist(),
        leaf_targetids=[0] * len(nodes.weights),
        leaf_weights=numpy_helper.from_array(nodes.weights),
    )
    return draft.node("Add", total, draft.doubles(model._baseline_prediction.reshape(1, 1)))  # noqa: SLF001 - as above


def inner_and_leaves(records: Any) -> Nodes:
    """One tree of scikit-learn's node records, its inner nodes and its leaves numbered apart.

    Raises:
        ConversionError: A split is on native categories.
    """
    leaf = records["is_leaf"].astype(bool)
    inner = ~leaf
    if records["is_categorical"][inner].any():
        raise ConversionError("a split on native categories has no writer", action="encode the categories one-hot")
    if not inner.any():
        # The operator has no tree without a split: one whose sides end in the same leaf stands for it.
        one = np.ones(1, dtype=np.int64)
        zero = np.zeros(1, dtype=np.int64)
        return Nodes(zero, np.zeros(1), zero, zero, one, zero, one, records["value"].astype(np.float64))
    number = np.where(leaf, np.cumsum(leaf), np.cumsum(inner)) - 1
    left = records["left"][inner].astype(np.int64)
    right = records["right"][inner].astype(np.int64)
    return Nodes(
        feature=records["feature_idx"][inner].astype(np.int64),
        threshold=records["num_threshold"][inner].astype(np.float64),
        missing_left=records["missing_go_to_left"][inner].astype(np.int64),
        left=number[left],
        left_is_leaf=leaf[left].astype(np.int64),
        right=number[right],
        right_is_leaf=leaf[right].astype(np.int64),
        weights=records["value"][leaf].astype(np.float64),
    )


def _joined(trees: list[Nodes]) -> tuple[Nodes, list[int]]:
    """The trees one after the other, and where each begins."""
    inner = np.cumsum([0] + [len(tree.feature) for tree in trees])
    leaves = np.cumsum([0] + [len(tree.weights) for tree in trees])

    def shifted(child: Array, is_leaf: Array, index: int) -> Array:
        moved: Array = child + np.where(is_leaf == 1, leaves[index], inner[index])
        return moved

    joined = Nodes(
        feature=np.concatenate([tree.feature for tree in trees]),
        threshold=np.concatenate([tree.threshold for tree in trees]),
        missing_left=np.concatenate([tree.missing_left for tree in trees]),
        left=np.concatenate([shifted(tree.left, tree.left_is_leaf, i) for i, tree in enumerate(trees)]),
        left_is_leaf=np.concatenate([tree.left_is_leaf for tree in trees]),
        right=np.concatenate([shifted(tree.right, tree.right_is_leaf, i) for i, tree in enumerate(trees)]),
        right_is_leaf=np.concatenate([tree.right_is_leaf for tree in trees]),
        weights=np.concatenate([tree.weights for tree in trees]),
    )
    return joined, inner[:-1].tolist()
