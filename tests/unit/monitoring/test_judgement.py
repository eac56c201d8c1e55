"""Better is more or less, as the metric has it; what is not beyond doubt is not called one or the other."""

import pytest

from sluice.domain.measures import Metric
from sluice.domain.monitoring import PerformancePolicy
from sluice.domain.use_case import UseCase
from sluice.monitoring.judgement import LABELLED, Basis, Figure, judge, limit_of


def deciding(use_case: UseCase, metric: Metric) -> UseCase:
    """A use case that a metric decides, which may become a tenth worse."""
    policy = PerformancePolicy(metric=metric, max_drop=0.1, min_labels=100)
    return use_case.model_copy(
        update={"monitoring": use_case.monitoring.model_copy(update={"performance": policy})},
    )


def figure(metric: Metric, basis: Basis, low: float, high: float, part: str = "") -> Figure:
    return Figure(part, metric, basis, (low + high) / 2, low, high, 500)


@pytest.mark.parametrize(
    ("metric", "promised", "limit"),
    [("rmse", 10.0, 11.0), ("r2", 0.8, 0.72), ("r2", -0.5, -0.55), ("log_loss", 0.0, 0.0)],
)
def test_the_limit_is_worse_than_promised(metric: Metric, promised: float, limit: float) -> None:
    assert limit_of(metric, promised, 0.1) == pytest.approx(limit)


@pytest.mark.parametrize(
    ("metric", "low", "high", "verdict"),
    [
        ("rmse", 11.1, 12.0, "degraded"),
        ("rmse", 10.5, 11.5, "unknown"),
        ("rmse", 9.0, 10.9, "stable"),
        ("r2", 8.0, 8.9, "degraded"),
        ("r2", 8.5, 9.5, "unknown"),
        ("r2", 9.1, 12.0, "stable"),
    ],
)
def test_the_whole_interval_must_lie_on_one_side(
    parcels: UseCase, metric: Metric, low: float, high: float, verdict: str
) -> None:
    figures = [figure(metric, "promised", 10, 10), figure(metric, "realised", low, high)]

    assert judge(deciding(parcels, metric), figures, 100)[0] == verdict
    assert judge(deciding(parcels, metric), figures, 99)[0] == "unknown"


@pytest.mark.parametrize("missing", ["promised", "realised"])
def test_what_is_missing_is_never_good(parcels: UseCase, missing: Basis) -> None:
    there: Basis = "realised" if missing == "promised" else "promised"

    verdict, message = judge(deciding(parcels, "rmse"), [figure("rmse", there, 10, 10)], 500)

    assert verdict == "unknown"
    assert message.startswith("Could not tell: ")


@pytest.mark.parametrize(
    ("metric", "realised", "says"),
    [
        ("rmse", 12.0, "seems to have changed"),
        ("rmse", 8.0, "worse than it turned out"),
        ("rmse", 10.0, "as it turned out"),
        ("r2", 8.0, "seems to have changed"),
        ("r2", 12.0, "worse than it turned out"),
    ],
)
def test_the_estimate_of_the_same_predictions_says_what_was_to_be_expected(
    parcels: UseCase, metric: Metric, realised: float, says: str
) -> None:
    figures = [
        figure(metric, "promised", 10, 10),
        figure(metric, "realised", realised, realised),
        figure(metric, "estimated", 9, 11, LABELLED),
    ]

    _, message = judge(deciding(parcels, metric), figures, 500)

    assert says in message
    assert "9 to 11 was to be expected" in message


def test_without_labels_the_estimate_is_told_and_does_not_decide(parcels: UseCase) -> None:
    figures = [figure("rmse", "promised", 10, 10), figure("rmse", "estimated", 20, 22)]

    verdict, message = judge(deciding(parcels, "rmse"), figures, 0)

    assert verdict == "unknown"
    assert "Without labels RMSE is estimated at 20 to 22." in message
