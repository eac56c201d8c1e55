"""Trees made by hand, asked by the operator that answers for all of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sluice.adapters.graphs import Graph
from sluice.training.graph import trees
from sluice.training.graph.draft import Draft
from sluice.training.graph.trees import Nodes


def stump(feature: int, threshold: float, left: float, right: float, missing_left: int = 0) -> Nodes:
    """Answers `left` where the feature is at most the threshold, else `right`."""
    return trees.grown(
        leaf=np.array([False, True, True]),
        feature=np.array([feature, -2, -2]),
        threshold=np.array([threshold, -2, -2]),
        missing_left=np.array([missing_left, 0, 0]),
        left=np.array([1, -1, -1]),
        right=np.array([2, -1, -1]),
        weights=np.array([np.nan, left, right]),
    )


def answers(targets: list[list[Nodes]], rows: list[list[float]]) -> np.ndarray:
    draft = Draft()
    matrix = draft.node("Concat", *[draft.input(name, "double") for name in "ab"], axis=1)
    written = Graph(draft.finish(trees.total(draft, matrix, targets), len(targets)))
    return written.predict(pd.DataFrame(rows, columns=list("ab")))


def test_the_answers_of_all_trees_are_added_up() -> None:
    said = answers([[stump(0, 1.5, 10, 20), stump(1, 0.0, 1, 2)]], [[1.5, 0.0], [1.6, 0.0], [1.5, 0.1], [1.6, 0.1]])
    np.testing.assert_array_equal(said, [11, 21, 12, 22])


def test_each_target_has_its_own_trees() -> None:
    targets = [[stump(0, 0, 1, 2)], [stump(1, 0, 3, 4), stump(1, 1, 10, 20)], [trees.constant(np.array([7.0]))]]
    np.testing.assert_array_equal(answers(targets, [[0, 0], [1, 2]]), [[1, 13, 7], [2, 24, 7]])


def test_a_missing_value_goes_where_the_node_says() -> None:
    said = answers([[stump(0, 0, 1, 2, missing_left=1), stump(1, 0, 10, 20, missing_left=0)]], [[np.nan, np.nan]])
    np.testing.assert_array_equal(said, [21])


def test_a_deep_tree_keeps_its_leaves_apart() -> None:
    # The root parts at 0, its right side at 10, and that side's left at 5.
    deep = trees.grown(
        leaf=np.array([False, True, False, False, True, True, True]),
        feature=np.zeros(7),
        threshold=np.array([0.0, 0, 10, 5, 0, 0, 0]),
        missing_left=np.zeros(7),
        left=np.array([1, 0, 3, 5, 0, 0, 0]),
        right=np.array([2, 0, 4, 6, 0, 0, 0]),
        weights=np.array([0.0, 1, 0, 0, 4, 2, 3]),
    )
    said = answers([[stump(0, 0, 0, 0), deep]], [[x, 0.0] for x in (-1, 3, 7, 11)])
    np.testing.assert_array_equal(said, [1, 2, 3, 4])


def test_a_threshold_is_not_rounded() -> None:
    edge = 1 + 2**-52
    said = answers([[stump(0, edge, 1, 2)]], [[np.nextafter(edge, 0), 0], [edge, 0], [np.nextafter(edge, 2), 0]])
    np.testing.assert_array_equal(said, [1, 1, 2])
