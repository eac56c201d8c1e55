"""The first blessing: thresholds, slices, fairness and the change against the champion, on rows that neither saw."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sluice.domain.contract import Interval
from sluice.domain.evidence import Check, Subject, decide
from sluice.domain.policy import Fairness, Gate, Slice
from sluice.domain.use_case import UseCase
from sluice.gate.quality import judge
from sluice.gate.rows import Rows
from tests.unit.conftest import MakeBundle

SUBJECT = Subject(use_case="line", version=2, bundle_sha256="b", champion_version=1, champion_bundle_sha256="c")
GENERATOR = np.random.default_rng(2)


def numbers() -> pd.DataFrame:
    x = GENERATOR.normal(10, 4, 400)
    return pd.DataFrame({"x": x, "y": 2 * x + GENERATOR.normal(0, 0.5, 400)})


def people() -> pd.DataFrame:
    income = GENERATOR.normal(0, 2, 400)
    return pd.DataFrame(
        {
            "income": income,
            "home": np.where(GENERATOR.random(400) < 0.5, "own", "rent"),
            "age": GENERATOR.integers(20, 80, 400),
            "outcome": np.where(GENERATOR.random(400) < 1 / (1 + np.exp(-2 * income)), "repaid", "lost"),
        }
    )


ROWS, LEARNED = numbers(), numbers()
LOANS, REPAID = people(), people()
INCOME = LOANS["income"].to_numpy()
#: What every model of numbers and of two classes is judged by, beside its thresholds and its champion.
OF_ROWS = {"split.candidate": "pass", "test_rows": "pass", "overlap": "pass", "train_rows": "pass"}
OF_NUMBERS = {"gap.r2": "pass", "shift": "pass", "leak.score": "pass", "leak.repeated_rows": "pass"}
OF_CLASSES = {
    "calibration.error": "pass",
    "gap.roc_auc": "pass",
    "shift": "pass",
    "leak.score": "pass",
    "leak.repeated_rows": "pass",
}


def given(test: pd.DataFrame, train: pd.DataFrame | None = None) -> Rows:
    """Rows as they are read: each with an identity of its own, and none that was learned from."""
    learned = (REPAID if "income" in test else LEARNED) if train is None else train
    return Rows(
        test=test.assign(_identity=[f"test {i}" for i in range(len(test))], _repeated=False),
        train=learned.assign(_identity=[f"train {i}" for i in range(len(learned))]),
    )


def verdicts(checks: tuple[Check, ...]) -> dict[str, str]:
    return {check.code: check.verdict for check in checks}


def test_a_first_release_needs_the_thresholds_alone(line: UseCase, make_bundle: MakeBundle) -> None:
    evidence = judge(line, SUBJECT, make_bundle(2.0), None, given(ROWS))

    assert verdicts(evidence.checks) == {**OF_ROWS, "constant": "pass", "threshold.r2": "pass", **OF_NUMBERS}
    assert evidence.metrics["r2"] > 0.95
    assert evidence.test_rows == 400
    assert "no champion" in evidence.notes[-1]
    assert evidence.checks[1].message == "the number of held-out rows is 400, at least 50 is needed"


def test_a_bad_model_misses_its_threshold(line: UseCase, make_bundle: MakeBundle) -> None:
    checks = judge(line, SUBJECT, make_bundle(1.0), None, given(ROWS)).checks

    assert verdicts(checks)["threshold.r2"] == "fail"


def test_a_better_candidate_passes_against_its_champion(line: UseCase, make_bundle: MakeBundle) -> None:
    evidence = judge(line, SUBJECT, make_bundle(2.0), make_bundle(1.9), given(ROWS))

    assert set(verdicts(evidence.checks).values()) == {"pass"}
    assert evidence.champion_metrics["rmse"] > evidence.metrics["rmse"]


def test_a_worse_candidate_fails_against_its_champion(line: UseCase, make_bundle: MakeBundle) -> None:
    evidence = judge(line, SUBJECT, make_bundle(1.9), make_bundle(2.0), given(ROWS))

    assert verdicts(evidence.checks)["change.rmse"] == "fail"


def test_the_champion_trained_again_is_unchanged(line: UseCase, make_bundle: MakeBundle) -> None:
    evidence = judge(line, SUBJECT, make_bundle(2.0), make_bundle(2.0, version="again"), given(ROWS))

    assert verdicts(evidence.checks)["unchanged"] == "fail"


@pytest.mark.parametrize("role", ["candidate", "champion"])
def test_a_model_that_may_have_seen_the_test_rows_cannot_be_judged(
    line: UseCase, make_bundle: MakeBundle, role: str
) -> None:
    other, own = make_bundle(2.0, test_share=0.1), make_bundle(1.9)
    candidate, champion = (other, own) if role == "candidate" else (own, other)

    checks = judge(line, SUBJECT, candidate, champion, given(ROWS)).checks

    assert verdicts(checks)[f"split.{role}"] == "unknown"


@pytest.mark.parametrize(("rows", "code"), [(0, "empty"), (49, "test_rows")])
def test_too_few_rows_are_no_evidence(line: UseCase, make_bundle: MakeBundle, rows: int, code: str) -> None:
    checks = judge(line, SUBJECT, make_bundle(2.0), None, given(ROWS.head(rows))).checks

    assert verdicts(checks)[code] == "unknown"
    assert not any(check.code.startswith("threshold") for check in checks)


def test_a_row_that_was_trained_on_is_no_evidence(line: UseCase, make_bundle: MakeBundle) -> None:
    rows = given(ROWS)
    rows.train.loc[7, "_identity"] = "test 3"

    checks = judge(line, SUBJECT, make_bundle(2.0), None, rows).checks

    assert verdicts(checks)["overlap"] == "unknown"
    assert "rows that are also rows to train on is 1" in checks[2].message


def test_without_rows_to_train_on_nothing_can_be_compared_with_them(line: UseCase, make_bundle: MakeBundle) -> None:
    checks = judge(line, SUBJECT, make_bundle(2.0), None, given(ROWS, LEARNED.head(0))).checks

    assert verdicts(checks)["train_rows"] == "unknown"


@pytest.mark.parametrize("part", ["test", "train"])
def test_a_missing_target_leaves_nothing_told(line: UseCase, make_bundle: MakeBundle, part: str) -> None:
    broken = [np.nan, np.inf, *ROWS["y"][2:]]
    rows = given(ROWS.assign(y=broken)) if part == "test" else given(ROWS, LEARNED.assign(y=broken))

    checks = judge(line, SUBJECT, make_bundle(2.0), None, rows).checks

    assert verdicts(checks)["target.missing"] == "unknown"
    assert checks[-1].message.startswith("2 of the 400")


def test_a_missing_class_leaves_nothing_told(loans: UseCase, make_classifier: MakeBundle) -> None:
    rows = LOANS.assign(outcome=[None, *LOANS["outcome"][1:]])

    checks = judge(loans, SUBJECT, make_classifier(loans, [0, 2]), None, given(rows)).checks

    assert verdicts(checks)["target.missing"] == "unknown"


def test_a_model_that_gives_one_answer_is_rejected_as_such(
    line: UseCase, loans: UseCase, make_bundle: MakeBundle, make_classifier: MakeBundle
) -> None:
    for use_case, bundle, rows in (
        (line, make_bundle(0.0), ROWS),
        (loans, make_classifier(loans, [1, 1]), LOANS),
    ):
        evidence = judge(use_case, SUBJECT, bundle, None, given(rows))

        assert decide(SUBJECT, (evidence,)).code == "reject:constant"
        assert "every row the same answer" in decide(SUBJECT, (evidence,)).message


def test_a_threshold_reports_its_interval_and_decides_by_its_value(line: UseCase, make_bundle: MakeBundle) -> None:
    r2 = judge(line, SUBJECT, make_bundle(2.0), None, given(ROWS)).metrics["r2"]

    # Within the interval either way: the value alone decides.
    for least, verdict in ((r2 - 1e-6, "pass"), (r2 + 1e-6, "fail")):
        strict = policy(line, thresholds={"r2": {"min": least}})
        checks = judge(strict, SUBJECT, make_bundle(2.0), None, given(ROWS)).checks
        [threshold] = [check for check in checks if check.code == "threshold.r2"]

        assert threshold.verdict == verdict
        assert threshold.interval is not None
        assert threshold.interval[0] < r2 < threshold.interval[1]


def test_answers_that_are_no_numbers_are_unknown(line: UseCase, make_bundle: MakeBundle) -> None:
    rows = ROWS.assign(x=np.inf)

    evidence = judge(line, SUBJECT, make_bundle(2.0), None, given(rows))

    assert verdicts(evidence.checks)["answers.candidate"] == "unknown"
    assert "400 held-out rows" in evidence.checks[-1].message
    assert evidence.metrics == {}


def test_a_threshold_that_cannot_be_measured_is_unknown(line: UseCase, make_bundle: MakeBundle) -> None:
    evidence = judge(line, SUBJECT, make_bundle(2.0), None, given(ROWS.assign(y=5.0)))

    assert verdicts(evidence.checks)["threshold.r2"] == "unknown"
    assert "r2" not in evidence.metrics


def test_two_classes_are_judged_by_their_probabilities(loans: UseCase, make_classifier: MakeBundle) -> None:
    evidence = judge(loans, SUBJECT, make_classifier(loans, [0, 2]), make_classifier(loans, [0, 0.3]), given(LOANS))

    told = {**OF_ROWS, "constant": "pass", "threshold.roc_auc": "pass", **OF_CLASSES}
    assert verdicts(evidence.checks) == {**told, "split.champion": "pass", "change.log_loss": "pass"}
    [threshold] = [check for check in evidence.checks if check.code == "threshold.roc_auc"]
    assert threshold.message.startswith("ROC AUC on held-out rows is 0.")
    assert evidence.champion_metrics["log_loss"] > evidence.metrics["log_loss"]


def test_the_positive_class_is_the_last_one(loans: UseCase, make_classifier: MakeBundle) -> None:
    checks = judge(loans, SUBJECT, make_classifier(loans, [2, 0]), None, given(LOANS)).checks

    assert verdicts(checks)["threshold.roc_auc"] == "fail"


def test_many_classes_are_judged_by_their_probabilities(loans: UseCase, make_classifier: MakeBundle) -> None:
    outcome = loans.target_column.model_copy(update={"categories": ("low", "middle", "high")})
    three = loans.model_copy(
        update={"task": "multiclass", "positive_label": None, "columns": (*loans.columns[:-1], outcome)}
    )
    rows, learned = (
        part.assign(outcome=np.select([part["income"] < -1, part["income"] < 1], ["low", "middle"], "high"))
        for part in (LOANS, REPAID)
    )

    evidence = judge(
        three, SUBJECT, make_classifier(three, [-1, 0, 1]), make_classifier(three, [0, 0, 1]), given(rows, learned)
    )

    assert verdicts(evidence.checks)["change.log_loss"] == "pass"
    assert evidence.metrics["roc_auc"] > 0.8


def test_an_outcome_of_no_known_class_leaves_nothing_told(loans: UseCase, make_classifier: MakeBundle) -> None:
    rows = LOANS.assign(outcome=["stolen", *LOANS["outcome"][1:]])

    evidence = judge(loans, SUBJECT, make_classifier(loans, [0, 2]), None, given(rows))

    assert verdicts(evidence.checks)["target"] == "unknown"
    assert "'stolen'" in evidence.checks[-1].message
    assert decide(SUBJECT, (evidence, evidence.model_copy(update={"blessing": "servable"}))).code == "undecided:target"


@pytest.mark.parametrize("broken", [np.inf, np.nan])
def test_probabilities_that_are_none_are_unknown(loans: UseCase, make_classifier: MakeBundle, broken: float) -> None:
    rows = LOANS.assign(income=[broken, *INCOME[1:]])

    evidence = judge(loans, SUBJECT, make_classifier(loans, [0, 2]), None, given(rows))

    assert verdicts(evidence.checks)["answers.candidate"] == "unknown"
    assert "no probabilities for 1 held-out rows" in evidence.checks[-1].message


@pytest.mark.parametrize("role", ["candidate", "champion"])
def test_a_model_of_other_classes_cannot_be_judged(loans: UseCase, make_classifier: MakeBundle, role: str) -> None:
    turned = loans.model_copy(update={"positive_label": "lost"})
    other, own = make_classifier(turned, [2, 0]), make_classifier(loans, [0, 1])
    candidate, champion = (other, own) if role == "candidate" else (own, other)

    evidence = judge(loans, SUBJECT, candidate, champion, given(LOANS))

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

    checks = judge(strict, SUBJECT, make_classifier(strict, [0, 2]), None, given(rows)).checks

    told = verdicts(checks)
    assert {code: told[code] for code in told if code.split(".")[0] in ("threshold", "slice", "fairness")} == {
        "threshold.roc_auc": "fail",
        "slice.home.own.f1": "pass",
        "slice.home.rent.f1": "fail",
        "fairness.age.selection_rate.difference": "fail",
    }
    assert all(check.interval for check in checks if check.code in told and check.code.split(".")[0] == "slice")


def test_behaviour_calibration_and_leaks_can_reject(line: UseCase, make_bundle: MakeBundle) -> None:
    direction = {"kind": "direction", "column": "x", "step": 1, "expect": "fall"}
    strict = policy(line, behaviour=(direction,), leaks={"max_score": 0.99}, generalisation={"max_gap": 0})
    promised = make_bundle(2.0)
    narrow = promised.contract.model_copy(update={"interval": Interval(level=0.9, half_width=0.01, coverage=0.9)})
    rows = given(ROWS, LEARNED.assign(y=2 * LEARNED["x"]))

    checks = judge(strict, SUBJECT, replace(promised, contract=narrow), None, rows).checks

    failed = [check.code for check in checks if check.verdict == "fail"]
    assert failed == ["behaviour.direction.x", "coverage", "gap.r2", "leak.score"]


def test_what_is_too_small_to_tell_is_said_and_does_not_decide(loans: UseCase, make_classifier: MakeBundle) -> None:
    tolerant = policy(
        loans, slices=(Slice.model_validate({"column": "home", "thresholds": {"f1": {"min": 1}}, "min_rows": 300}),)
    )

    evidence = judge(tolerant, SUBJECT, make_classifier(tolerant, [0, 2]), None, given(LOANS))

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
    evidence = judge(loans, SUBJECT, make_classifier(loans, [0, 2], out_of_fold=measured), None, given(LOANS))

    assert verdicts(evidence.checks)["out_of_fold.roc_auc"] == verdict
    assert evidence.notes[0] == "400 held-out rows are few, so the evidence is repeated out of fold"
