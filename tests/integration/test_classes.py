"""Models of classes, from rows to a live answer, through the same DAGs as a number."""

from __future__ import annotations

import pytest

from sluice.domain.use_case import UseCase
from tests.live import LiveStack

pytestmark = pytest.mark.soak


@pytest.fixture(params=["loan", "phishing"])
def classes(request: pytest.FixtureRequest, use_cases: tuple[UseCase, ...]) -> UseCase:
    """Each shipped use case whose target is a class."""
    return next(use_case for use_case in use_cases if use_case.name == request.param)


def test_a_model_of_classes_is_promoted_and_answers(live: LiveStack, classes: UseCase) -> None:
    live.run(f"{classes.name}_ingest")
    _, decision = live.promote(classes.name, trials=3)

    answer = live.predict(classes.name, dict(classes.serving.example))

    assert decision["code"] == "promote", decision["message"]
    [said] = answer["predictions"]
    assert answer["model_version"] == decision["version"]
    assert set(said["probabilities"]) == set(classes.classes)
    assert sum(said["probabilities"].values()) == pytest.approx(1)
    assert said["prediction"] == max(said["probabilities"], key=said["probabilities"].get)
    assert said["prediction"] in said["prediction_set"]
    live.run(f"{classes.name}_monitor", current="validated")
