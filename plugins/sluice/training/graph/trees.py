"""Trees: decision trees of any library as parallel arrays, and the one ONNX operator that answers for many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import numpy_helper

from sluice.training.graph.draft import Draft

Array = np.ndarray[tuple[int], np.dtype[Any]]

_BRANCH_LEQ = 0
_SUM = 1
_NO_TRANSFORM = 0


@dataclass(frozen=True)
class Nodes:
    """The nodes of a tree, as parallel arrays; the root is the first inner node.

    Attributes:
        feature: Position of the feature that each inner node looks at.
        threshold: A row goes left where its value is at most this.
        missing_left: Whether a row without the value goes left, 1 or 0.
        left: Number of the inner node, or of the leaf, on the left.
        left_is_leaf: Which of the two it is, 1 for a leaf.
        right: As `left`.
        right_is_leaf: As `left_is_leaf`.
        weights: What each leaf answers.
    """

    feature: Array
    threshold: Array
    missing_left: Array
    left: Array
    left_is_leaf: Array
    right: Array
    right_is_leaf: Array
    weights: Array


def constant(weights: Array) -> Nodes:
    """A tree without a split.

    The operator knows none: a split whose sides end in the same leaf stands for it.
    """
    one = np.ones(1, dtype=np.int64)
    zero = np.zeros(1, dtype=np.int64)
    return Nodes(zero, np.zeros(1), zero, zero, one, zero, one, weights.astype(np.float64))


def grown(
    leaf: Array, feature: Array, threshold: Array, missing_left: Array, left: Array, right: Array, weights: Array
) -> Nodes:
    """A tree whose inner nodes and leaves are numbered together, the root first.

    Args:
        leaf: Which nodes are leaves.
        feature: As in `Nodes`, of every node; what a leaf has there is not read.
        threshold: Likewise.
        missing_left: Likewise.
        left: Number of the node on the left, likewise.
        right: Number of the node on the right, likewise.
        weights: What each node answers; what an inner node has there is not read.
    """
    inner = ~leaf
    if not inner.any():
        return constant(weights)
    number = np.where(leaf, np.cumsum(leaf), np.cumsum(inner)) - 1
    lefts = left[inner].astype(np.int64)
    rights = right[inner].astype(np.int64)
    return Nodes(
        feature=feature[inner].astype(np.int64),
        threshold=threshold[inner].astype(np.float64),
        missing_left=missing_left[inner].astype(np.int64),
        left=number[lefts],
        left_is_leaf=leaf[lefts].astype(np.int64),
        right=number[rights],
        right_is_leaf=leaf[rights].astype(np.int64),
        weights=weights[leaf].astype(np.float64),
    )


def total(draft: Draft, matrix: str, targets: Sequence[Sequence[Nodes]]) -> str:
    """Write trees whose answers are added up, in double precision.

    A comparison in double precision sends every row the way the library does, also a row that lies on a threshold
    or one step beside it.

    Args:
        draft: The graph.
        matrix: Name of the doubles that the trees look at, shape (rows, features).
        targets: The trees of each column of the answer; at least one each.

    Returns:
        Name of the sums, shape (rows, targets).
    """
    trees = [tree for target in targets for tree in target]
    leaves = [len(tree.weights) for tree in trees]
    position = np.repeat(np.arange(len(targets)), [len(target) for target in targets])
    nodes, roots = _joined(trees)
    return draft.node(
        "TreeEnsemble",
        matrix,
        domain="ai.onnx.ml",
        n_targets=len(targets),
        aggregate_function=_SUM,
        post_transform=_NO_TRANSFORM,
        tree_roots=roots,
        nodes_featureids=nodes.feature.tolist(),
        nodes_splits=numpy_helper.from_array(nodes.threshold),
        nodes_modes=numpy_helper.from_array(np.full(len(nodes.feature), _BRANCH_LEQ, dtype=np.uint8)),
        nodes_missing_value_tracks_true=nodes.missing_left.tolist(),
        nodes_truenodeids=nodes.left.tolist(),
        nodes_trueleafs=nodes.left_is_leaf.tolist(),
        nodes_falsenodeids=nodes.right.tolist(),
        nodes_falseleafs=nodes.right_is_leaf.tolist(),
        leaf_targetids=np.repeat(position, leaves).tolist(),
        leaf_weights=numpy_helper.from_array(nodes.weights),
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
