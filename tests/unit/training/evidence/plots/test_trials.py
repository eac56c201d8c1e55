from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from sluice.training.evidence.plots import trials
from sluice.training.search import SearchResult
from tests.unit.training.trainings import attempts_of, differing, scored, training

KNOWN = training("regression")
USE_CASE, RESULT = KNOWN.use_case, KNOWN.result


@pytest.fixture(scope="module")
def alike() -> SearchResult:
    """A search of one family."""
    attempts = tuple(differing(attempts_of("regression", 14)))
    return replace(RESULT, attempts=attempts, best=min(attempts, key=lambda a: a.mean))


def step(figure: Figure) -> list[float]:
    return [float(y) for y in figure.axes[0].lines[0].get_ydata()]  # type: ignore[union-attr]


def test_a_search_is_drawn_by_trial_by_fold_and_by_hyper_parameter() -> None:
    labels = {name: (f.axes[0].get_xlabel(), f.axes[0].get_ylabel()) for name, f in trials.draw(USE_CASE, RESULT)}
    assert labels == {
        "search": ("trial", "cross-validated RMSE [EUR]"),
        "folds": ("fold", "RMSE [EUR]"),
        "parallel_coordinates": ("", ""),
        "parameter_importance": ("|rank correlation| with the score", ""),
    }


def test_the_best_so_far_falls_and_where_more_is_better_rises() -> None:
    complete = [a for a in RESULT.attempts if a.state == "complete"]
    falling = np.minimum.accumulate([a.mean for a in complete])
    assert step(trials.history(USE_CASE, RESULT)) == pytest.approx(falling)
    turned = scored("r2", RESULT)
    assert step(trials.history(USE_CASE, turned)) == pytest.approx(-falling)


def test_one_proposal_that_overflowed_does_not_flatten_the_others() -> None:
    attempts = list(RESULT.attempts)
    attempts[2] = replace(attempts[2], scores=(1e150, 1e150))
    low, high = trials.history(USE_CASE, replace(RESULT, attempts=tuple(attempts))).axes[0].get_ylim()
    assert 0 < low < high < 10


def test_every_fold_of_the_best_is_drawn() -> None:
    (axes,) = trials.folds(USE_CASE, RESULT).axes
    assert [float(y) for y in axes.lines[1].get_ydata()] == list(RESULT.best.scores)  # type: ignore[union-attr]


def test_each_trial_of_the_family_is_a_line_and_the_best_one_is_black(alike: SearchResult) -> None:
    axes = trials.parallel_coordinates(USE_CASE, alike).axes[0]
    lines = [line for line in axes.lines if len(line.get_xdata()) == 3]  # type: ignore[arg-type]
    assert len(lines) == len(alike.attempts)
    assert [line.get_color() for line in lines].index("black") == len(lines) - 1
    # Its score is the lowest, and stands on the last upright.
    heights = [float(line.get_ydata()[-1]) for line in lines]  # type: ignore[index]
    assert min(heights) == heights[-1]
    names = [text.get_text().split("\n")[0] for text in axes.get_xticklabels()]
    assert names == ["l2_regularization", "learning_rate", "RMSE [EUR]"]


def test_the_hyper_parameter_that_matters_most_is_on_top(alike: SearchResult) -> None:
    (axes,) = trials.parameter_importance(USE_CASE, alike).axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["l2_regularization", "learning_rate"]


def test_a_search_of_one_trial_says_that_it_is_too_few() -> None:
    alone = replace(RESULT, attempts=(RESULT.best,))
    drawn = dict(trials.draw(USE_CASE, alone))
    said = drawn["parameter_importance"].axes[0].texts[0].get_text()
    assert said == "1 complete trials of ridge are too few to tell"
    assert drawn["parallel_coordinates"].axes[0].texts[0].get_text().endswith("no hyper-parameter varied")
