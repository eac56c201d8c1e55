"""The first blessing: thresholds and the change against the champion, on rows that neither has seen."""

import numpy as np
import pandas as pd
import pytest

from sluice.domain.evidence import Check, Subject
from sluice.domain.use_case import UseCase
from sluice.gate.quality import judge
from tests.unit.conftest import MakeBundle

SUBJECT = Subject(use_case="line", version=2, bundle_sha256="b", champion_version=1, champion_bundle_sha256="c")
GENERATOR = np.random.default_rng(2)
X = GENERATOR.normal(10, 4, 400)
ROWS = pd.DataFrame({"x": X, "y": 2 * X + GENERATOR.normal(0, 0.5, 400)})


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

    assert verdicts(evidence.checks)["threshold.r2"] == "unknown"
    assert "r2" not in evidence.metrics
