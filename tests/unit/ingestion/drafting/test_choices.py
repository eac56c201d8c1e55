"""What becomes of a column that is no target."""

from __future__ import annotations

import numpy as np
import pytest

from sluice.ingestion.drafting import choices


@pytest.mark.parametrize(
    ("values", "whole", "expected"),
    [
        ([10, 20], False, (5, 25)),
        ([0.2, 1.2], False, (0, 1.7)),
        ([-0.003, 0.003], False, (-0.006, 0.006)),
        ([-1, 0, 1], True, (-1, 1)),
        ([-20, -10], False, (-25, -5)),
        ([1_000, 1_000_000], False, (0, 1_500_000)),
    ],
)
def test_a_range_leaves_room(values: list[float], whole: bool, expected: tuple[float, float]) -> None:
    low, high = choices.bounds(np.array(values, dtype=float), whole)
    assert (low, high) == pytest.approx(expected, rel=0.1, abs=1e-9)
    assert low <= min(values) <= max(values) <= high
