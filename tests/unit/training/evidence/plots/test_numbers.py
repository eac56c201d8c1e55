from __future__ import annotations

import numpy as np

from sluice.training.evidence.plots import answers, numbers
from tests.unit.training.trainings import training


def test_a_number_is_drawn_against_what_was_observed() -> None:
    known = training("regression")
    labels = {name: (f.axes[0].get_xlabel(), f.axes[0].get_ylabel()) for name, f in answers(known.candidate)}
    assert labels == {
        "predicted_vs_actual": ("observed rent [EUR]", "predicted rent [EUR]"),
        "residuals": ("predicted - observed rent [EUR]", "rows"),
        "residuals_vs_predicted": ("predicted rent [EUR]", "predicted - observed rent [EUR]"),
    }


def test_the_points_are_the_test_rows_and_most_lie_within_the_interval() -> None:
    known = training("regression")
    (axes,) = numbers.predicted_vs_actual(known.candidate).axes
    points = np.asarray(axes.collections[0].get_offsets())
    np.testing.assert_array_equal(points[:, 0], known.rows.test.target)
    np.testing.assert_array_equal(points[:, 1], known.candidate.predicted)
    lower, upper = (line.get_xydata() for line in axes.lines[1:])
    low, high = (np.interp(points[:, 1], np.asarray(e)[:, 1], np.asarray(e)[:, 0]) for e in (lower, upper))
    interval = known.candidate.bundle.contract.interval
    assert interval is not None
    assert np.mean((low <= points[:, 0]) & (points[:, 0] <= high)) == interval.coverage


def test_every_row_is_in_the_histogram_however_far_off() -> None:
    known = training("regression")
    (axes,) = numbers.residuals(known.candidate).axes
    assert sum(bar.get_height() for bar in axes.patches) == len(known.rows.test)  # type: ignore[attr-defined]
