"""The first blessing: thresholds, slices, fairness and the change against the champion, on rows that neither saw."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sluice.adapters.warehouse import Warehouse
from sluice.domain.evidence import Check, Subject, decide
from sluice.domain.policy import Fairness, Gate, Slice
from sluice.domain.use_case import UseCase
from sluice.gate.quality import held_out_rows, judge
from tests.unit.conftest import MakeBundle

SUBJECT = Subject(use_case="line", version=2, bundle_sha256="b", champion_version=1, champion_bundle_sha256="c")
GENERATOR = np.random.default_rng(2)
X = GENERATOR.normal(10, 4, 400)
ROWS = pd.DataFrame({"x": X, "y": 2 * X + GENERATOR.normal(0, 0.5, 400)})
INCOME = GENERATOR.normal(0, 2, 400)
LOANS = pd.DataFrame(
    {
        "income": INCOME,
        "home": np.where(GENERATOR.random(400) < 0.5, "own", "rent"),
        "age": GENERATOR.integers(20, 80, 400),
        "outcome": np.where(GENERATOR.random(400) < 1 / (1 + np.exp(-2 * INCOME)), "repaid", "lost"),
    }
)


def verdicts(checks: tuple[Check, ...]) -> dict[str, str]:
    return {check.code: check.verdict for check in checks}


def test_a_first_release_needs_the_thresholds_alone(line: UseCase, make_bundle: MakeBundle) -> None:
    evidence = judge(line, SUBJECT, make_bundle(2.0), None, ROWS)

    assert verdicts(evidence.checks) == {
        "split.candidate": "pass",
        "test_rows": "pass",
        "threshold.r2": "pass",
    }
    assert evidence.metrics["r2"] > 0.95
    assert evidence.test_rows == 400
    assert "no champion" in evidence.notes[0]
    assert evidence.checks[1].message == "the number of held-out rows is 400, at least 50 is needed"


def test_a_bad_model_misses_its_threshold(line: UseCase, make_bundle: MakeBundle) -> None:
    checks = judge(line, SUBJECT, make_bundle(1.0), None, ROWS).checks

    assert verdicts(checks)["threshold.r2"] == "fail"


def test_a_better_candidate_passes_against_its_champion(line: UseCase, make_bundle: MakeBundle) -> None:
    evidence = judge(line, SUBJECT, make_bundle(2.0), make_bundle(1.9), ROWS)

    assert set(verdicts(evidence.checks).values()) == {"pass"}
    assert evidence.champion_metrics["rmse"] > evidence.metrics["rmse"]


def test_a_worse_candidate_fails_against_its_champion(line: UseCase, make_bundle: MakeBundle) -> None:
    evidence = judge(line, SUBJECT, make_bundle(1.9), make_bundle(2.0), ROWS)

    assert verdicts(evidence.checks)["change.rmse"] == "fail"


def test_the_champion_trained_again_is_unchanged(line: UseCase, make_bundle: MakeBundle) -> None:
    evidence = judge(line, SUBJECT, make_bundle(2.0), make_bundle(2.0, version="again"), ROWS)

    assert verdicts(evidence.checks)["unchanged"] == "fail"


@pytest.mark.parametrize("role", ["candidate", "champion"])
def test_a_model_that_may_have_seen_the_test_rows_cannot_be_judged(
    line: UseCase, make_bundle: MakeBundle, role: str
) -> None:
    other, own = make_bundle(2.0, test_share=0.1), make_bundle(1.9)
    candidate, champion = (other, own) if role == "candidate" else (own, other)

    checks = judge(line, SUBJECT, candidate, champion, ROWS).checks

    assert verdicts(checks)[f"split.{role}"] == "unknown"


@pytest.mark.parametrize("rows", [0, 49])
def test_too_few_rows_are_no_evidence(line: UseCase, make_bundle: MakeBundle, rows: int) -> None:
    checks = judge(line, SUBJECT, make_bundle(2.0), None, ROWS.head(rows)).checks

    assert verdicts(checks)["test_rows"] == "unknown"


def test_answers_that_are_no_numbers_are_unknown(line: UseCase, make_bundle: MakeBundle) -> None:
    rows = ROWS.assign(x=np.inf)

    evidence = judge(line, SUBJECT, make_bundle(2.0), None, rows)

    assert verdicts(evidence.checks)["answers.candidate"] == "unknown"
    assert "400 held-out rows" in evidence.checks[-1].message
    assert evidence.metrics == {}


def test_a_threshold_that_cannot_be_measured_is_unknown(line: UseCase, make_bundle: MakeBundle) -> None:
    evidence = judge(line, SUBJECT, make_bundle(2.0), None, ROWS.assign(y=5.0))

    assert verdicts(evidence.checks)["threshold.r2"] == "unknown"
    assert "r2" not in evidence.metrics


def test_two_classes_are_judged_by_their_probabilities(loans: UseCase, make_classifier: MakeBundle) -> None:
    evidence = judge(loans, SUBJECT, make_classifier(loans, [0, 2]), make_classifier(loans, [0, 0.3]), LOANS)

    assert verdicts(evidence.checks) == {
        "split.candidate": "pass",
        "test_rows": "pass",
        "threshold.roc_auc": "pass",
        "split.champion": "pass",
        "change.log_loss": "pass",
    }
    assert evidence.checks[2].message.startswith("ROC AUC on held-out rows is 0.")
    assert evidence.champion_metrics["log_loss"] > evidence.metrics["log_loss"]


def test_the_positive_class_is_the_last_one(loans: UseCase, make_classifier: MakeBundle) -> None:
    checks = judge(loans, SUBJECT, make_classifier(loans, [2, 0]), None, LOANS).checks

    assert verdicts(checks)["threshold.roc_auc"] == "fail"


def test_many_classes_are_judged_by_their_probabilities(loans: UseCase, make_classifier: MakeBundle) -> None:
    outcome = loans.target_column.model_copy(update={"categories": ("low", "middle", "high")})
    three = loans.model_copy(
        update={"task": "multiclass", "positive_label": None, "columns": (*loans.columns[:-1], outcome)}
    )
    rows = LOANS.assign(outcome=np.select([INCOME < -1, INCOME < 1], ["low", "middle"], "high"))

    evidence = judge(three, SUBJECT, make_classifier(three, [-1, 0, 1]), make_classifier(three, [0, 0, 1]), rows)

    assert verdicts(evidence.checks)["change.log_loss"] == "pass"
    assert evidence.metrics["roc_auc"] > 0.8


def test_an_outcome_of_no_known_class_leaves_nothing_told(loans: UseCase, make_classifier: MakeBundle) -> None:
    rows = LOANS.assign(outcome=["stolen", *LOANS["outcome"][1:]])

    evidence = judge(loans, SUBJECT, make_classifier(loans, [0, 2]), None, rows)

    assert verdicts(evidence.checks)["target"] == "unknown"
    assert "'stolen'" in evidence.checks[-1].message
    assert decide(SUBJECT, (evidence, evidence.model_copy(update={"blessing": "servable"}))).code == "undecided:target"


@pytest.mark.parametrize("broken", [np.inf, np.nan])
def test_probabilities_that_are_none_are_unknown(loans: UseCase, make_classifier: MakeBundle, broken: float) -> None:
    rows = LOANS.assign(income=[broken, *INCOME[1:]])

    evidence = judge(loans, SUBJECT, make_classifier(loans, [0, 2]), None, rows)

    assert verdicts(evidence.checks)["answers.candidate"] == "unknown"
    assert "no probabilities for 1 held-out rows" in evidence.checks[-1].message


@pytest.mark.parametrize("role", ["candidate", "champion"])
def test_a_model_of_other_classes_cannot_be_judged(loans: UseCase, make_classifier: MakeBundle, role: str) -> None:
    turned = loans.model_copy(update={"positive_label": "lost"})
    other, own = make_classifier(turned, [2, 0]), make_classifier(loans, [0, 1])
    candidate, champion = (other, own) if role == "candidate" else (own, other)

    evidence = judge(loans, SUBJECT, candidate, champion, LOANS)

    assert verdicts(evidence.checks)[f"classes.{role}"] == "unknown"
    assert "change.log_loss" not in verdicts(evidence.checks)
    assert evidence.champion_metrics == {}


def policy(use_case: UseCase, **gate: Any) -> UseCase:
    values = {**use_case.gate.model_dump(), **gate}
    return use_case.model_copy(update={"gate": Gate.model_validate(values)})


def test_a_slice_and_a_group_can_reject(loans: UseCase, make_classifier: MakeBundle) -> None:
    strict = policy(
        loans,
        slices=(Slice.model_validate({"column": "home", "thresholds": {"f1": {"min": 0.7}}}),),
        fairness=(Fairness(column="age", edges=(50,), max_difference=0.2),),
    )
    # Those who rent repay as the toss of a coin; the old earn more.
    rent = (LOANS["home"] == "rent").to_numpy()
    coin = np.where(GENERATOR.random(400) < 0.5, "repaid", "lost")
    rows = LOANS.assign(outcome=np.where(rent, coin, LOANS["outcome"]), age=np.where(INCOME > 0, 60, 30))

    checks = judge(strict, SUBJECT, make_classifier(strict, [0, 2]), None, rows).checks

    assert verdicts(checks) == {
        "split.candidate": "pass",
        "test_rows": "pass",
        "threshold.roc_auc": "fail",
        "slice.home.own.f1": "pass",
        "slice.home.rent.f1": "fail",
        "fairness.age.selection_rate.difference": "fail",
    }


def test_what_is_too_small_to_tell_is_said_and_does_not_decide(loans: UseCase, make_classifier: MakeBundle) -> None:
    tolerant = policy(
        loans, slices=(Slice.model_validate({"column": "home", "thresholds": {"f1": {"min": 1}}, "min_rows": 300}),)
    )

    evidence = judge(tolerant, SUBJECT, make_classifier(tolerant, [0, 2]), None, LOANS)

    assert not any(check.code.startswith("slice") for check in evidence.checks)
    decision = decide(SUBJECT, (evidence, evidence.model_copy(update={"blessing": "servable"})))
    assert decision.code == "promote"
    assert "slices with too few held-out rows to tell" in decision.message


@pytest.mark.parametrize(
    ("measured", "verdict"), [({"roc_auc": 0.85}, "pass"), ({"roc_auc": 0.75}, "fail"), ({"f1": 0.9}, "unknown")]
)
def test_few_rows_repeat_the_evidence_out_of_fold(
    loans: UseCase, make_classifier: MakeBundle, measured: dict[str, float], verdict: str
) -> None:
    evidence = judge(loans, SUBJECT, make_classifier(loans, [0, 2], out_of_fold=measured), None, LOANS)

    assert verdicts(evidence.checks)["out_of_fold.roc_auc"] == verdict
    assert evidence.notes[0] == "400 held-out rows are few, so the evidence is repeated out of fold"


def test_the_rows_hold_all_that_is_looked_at_and_test_rows_only(warehouse: Warehouse, loans: UseCase) -> None:
    asked = policy(
        loans,
        slices=(Slice.model_validate({"column": "outcome", "thresholds": {"accuracy": {"min": 0}}}),),
        fairness=(Fairness(column="home", max_difference=0.2), Fairness(column="age", edges=(50,), min_ratio=0.8)),
    )
    warehouse.execute(
        """
        CREATE TABLE validated.loans AS
        SELECT *, 1 AS _batch_id
        FROM (VALUES
            (1, 'test', 1.5::double precision, 'own', 30::bigint, 'repaid'),
            (2, 'train', 2.5, 'own', 31, 'lost'),
            (3, 'test', 3.5, NULL, NULL, 'lost')
        ) AS given (_row, _part, income, home, age, outcome)
        """
    )

    rows = held_out_rows(warehouse, asked)

    assert list(rows.columns) == ["income", "outcome", "home", "age"]
    assert rows["income"].tolist() == [1.5, 3.5]
    assert rows.isna().sum().to_dict() == {"income": 0, "outcome": 0, "home": 1, "age": 1}
    assert list(held_out_rows(warehouse, loans).columns) == ["income", "outcome"]
