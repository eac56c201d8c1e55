from __future__ import annotations

from sluice.training.evidence.importance import Importance, Importances
from sluice.training.evidence.learning import LearningCurve, Point
from sluice.training.evidence.plots import behaviour
from tests.unit.training.trainings import use_case_of

NUMBER, CLASSES = use_case_of("regression"), use_case_of("multiclass")


def test_the_learning_curve_shows_both_kinds_of_rows_with_their_unit() -> None:
    points = (Point(50, (0.1, 0.3), (0.9, 0.7)), Point(100, (0.2, 0.4), (0.6, 0.4)))
    for use_case, metric, name in ((NUMBER, "rmse", "RMSE [EUR]"), (CLASSES, "log_loss", "log loss [nats]")):
        (axes,) = behaviour.learning(use_case, LearningCurve(metric, points)).axes
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("rows fitted on", name)
        assert "2 folds" in axes.get_title()
        assert {text.get_text() for text in axes.texts} == {"0.2", "0.8", "0.3", "0.5"}


def test_a_learning_curve_of_one_point_says_so() -> None:
    (axes,) = behaviour.learning(NUMBER, LearningCurve("rmse", (Point(50, (0.1,), (0.9,)),))).axes
    assert axes.texts[0].get_text() == "The rows are too few to fit on a share of them"


def test_the_input_that_matters_most_is_on_top_and_only_so_many_are_drawn() -> None:
    inputs = tuple(Importance(f"input_{i}_with_a_name_as_long_as_an_arm", 1 - i / 40, 0.01) for i in range(40))
    (axes,) = behaviour.importance(NUMBER, Importances("rmse", inputs)).axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert len(names) == 30
    assert names[-1] == "input_0_with_a_name_as_long…"
    assert axes.get_xlabel() == "RMSE [EUR] added by shuffling it"
    assert "10 lesser ones left out" in axes.get_title()
