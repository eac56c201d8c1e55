from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sluice.domain.monitoring import Monitoring, Response
from sluice.monitoring.response import Breach, recommend, respond

NOW = datetime(2026, 5, 2, 3, tzinfo=UTC)


def policy(response: Response = "retrain", **changes: Any) -> Monitoring:
    """The same response to every kind of breach."""
    same: Any = {"response": response}
    return Monitoring.model_validate({"drift": same, "quality": same, "performance": same, **changes})


@pytest.mark.parametrize("response", ["nothing", "alert", "approval", "retrain"])
@pytest.mark.parametrize(("breach", "verdict"), [("drift", "drifted"), ("quality", "degraded")])
def test_a_breach_leads_to_what_the_policy_says(response: Response, breach: Breach, verdict: str) -> None:
    answer = respond(policy(response), breach, [verdict, "stable"], None, NOW)

    assert answer.response == response
    assert f"the policy says {response}" in answer.reason


@pytest.mark.parametrize("verdict", ["stable", "unknown"])
def test_what_is_no_breach_leads_to_nothing(verdict: str) -> None:
    answer = respond(policy(), "drift", [verdict, "drifted", "drifted"], None, NOW)

    assert answer.response == "nothing"
    assert verdict in answer.reason


@pytest.mark.parametrize(
    ("verdicts", "response"),
    [
        (["drifted"], "nothing"),
        (["drifted", "stable", "unknown", "stable", "stable", "drifted"], "nothing"),
        (["drifted", "stable", "unknown", "stable", "drifted"], "retrain"),
        (["drifted", "drifted"], "retrain"),
        (["stable", "drifted", "drifted"], "nothing"),
    ],
    ids=["one", "the second is too long ago", "the second is the oldest that counts", "both", "over"],
)
def test_two_of_the_last_five_are_counted(verdicts: list[str], response: Response) -> None:
    answer = respond(policy(breaches=2, windows=5), "drift", verdicts, None, NOW)

    assert answer.response == response


@pytest.mark.parametrize(
    ("response", "days", "follows"),
    [
        ("retrain", 6.99, "alert"),
        ("retrain", 7, "retrain"),
        ("approval", 1, "alert"),
        ("alert", 1, "alert"),
        ("nothing", 1, "nothing"),
    ],
    ids=["just before its end", "over", "an approval, too", "an alert needs none", "nothing stays nothing"],
)
def test_one_drift_is_one_training(response: Response, days: float, follows: Response) -> None:
    answer = respond(policy(response, cool_down_days=7), "drift", ["drifted"], NOW - timedelta(days=days), NOW)

    assert answer.response == follows
    assert ("cool-down" in answer.reason) == (follows != response)


@pytest.mark.parametrize(
    ("kind", "verdicts", "begins", "says"),
    [
        ("drift", {"drift": "stable"}, "Do not retrain", "look like those of the training"),
        ("drift", {"drift": "stable", "performance": "degraded"}, "Retrain", "no longer hold"),
        ("drift", {"drift": "drifted", "performance": "stable"}, "Do not retrain yet", "performance has not dropped"),
        ("drift", {"drift": "drifted", "performance": "degraded"}, "Retrain", "dropped with them"),
        ("drift", {"drift": "drifted"}, "Look before you retrain", "nobody can tell"),
        ("drift", {"drift": "drifted", "quality": "degraded"}, "Look before", "mend the data first"),
        ("drift", {"drift": "unknown"}, "No ground to retrain", "could not tell"),
        ("performance", {"performance": "stable", "drift": "drifted"}, "Do not retrain", "as well as"),
        ("performance", {"performance": "degraded", "drift": "drifted"}, "Retrain", "moved away"),
        ("performance", {"performance": "degraded"}, "Retrain", "no drift was seen"),
        ("performance", {"performance": "degraded", "quality": "degraded"}, "Retrain", "mend the data first"),
        ("performance", {"performance": "unknown"}, "No ground to retrain", "labels"),
        ("quality", {"quality": "degraded", "drift": "drifted"}, "Do not retrain", "mend what sends"),
        ("quality", {"quality": "unknown"}, "No ground to retrain", "too little"),
        ("quality", {"quality": "stable"}, "The quality of the rows gives no reason", "none against"),
    ],
)
def test_the_advice_is_to_train_where_that_would_help(
    kind: Breach, verdicts: dict[Breach, str], begins: str, says: str
) -> None:
    advice = recommend(kind, verdicts)

    assert advice.startswith(begins)
    assert says in advice
