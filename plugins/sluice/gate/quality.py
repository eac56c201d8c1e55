"""The first blessing: is the candidate good enough, on rows that neither it nor the champion has seen?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sluice.adapters.bundles import Bundle
from sluice.adapters.intervals import beside, draws, percentile
from sluice.adapters.metrics import measure
from sluice.domain.evidence import Check, Curve, Evidence, Subject, bounded
from sluice.domain.figures import plain
from sluice.domain.measures import TITLES, Metric
from sluice.domain.use_case import UseCase
from sluice.gate import behaviour, calibration, fairness, generalisation, leaks, slices
from sluice.gate.answers import Answered, answered, answers, constant
from sluice.gate.comparison import change
from sluice.gate.curves import curve
from sluice.gate.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping


def judge(use_case: UseCase, subject: Subject, candidate: Bundle, champion: Bundle | None, rows: Rows) -> Evidence:
    """Judge a candidate on held-out rows.

    Args:
        use_case: Its policy.
        subject: What is judged; names both bundles.
        candidate: The candidate's verified bundle.
        champion: The champion's verified bundle; None for a first release, which is compared with nothing.
        rows: The held-out rows, and some of those to train on.
    """
    checks = [*_comparable(use_case, candidate, "candidate"), *_usable(use_case, rows)]
    notes: tuple[str, ...] = ()
    metrics: dict[str, float] = {}
    champion_metrics: dict[str, float] = {}
    drawn: Curve | None = None
    if all(c.verdict == "pass" for c in checks):
        test = answered(use_case, candidate, "candidate", rows.test, "held-out rows")
        train = answered(use_case, candidate, "candidate", rows.train, "rows to train on")
        if isinstance(test, Answered):
            metrics = measure(use_case.task, test.actual, test.scores)
            drawn = curve(test.actual, test.scores)
        if not (isinstance(test, Answered) and isinstance(train, Answered)):
            checks += [check for part in (test, train) if not isinstance(part, Answered) for check in part]
        else:
            good, notes = _good_enough(use_case, candidate, train, test, metrics)
            checks += good
            if champion is None:
                notes += ("there is no champion yet, so the candidate is compared with nothing",)
            else:
                against, champion_metrics = _against(use_case, candidate, champion, test)
                checks += against
    return Evidence(
        subject=subject,
        blessing="good_enough",
        checks=tuple(checks),
        metrics=_finite(metrics),
        champion_metrics=_finite(champion_metrics),
        test_rows=len(rows.test),
        notes=notes,
        curve=drawn,
    )


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    """What JSON can hold; the checks have said what the others are."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def _usable(use_case: UseCase, rows: Rows) -> list[Check]:
    """Whether a model can be judged on these rows at all; what cannot be judged on says nothing about the model."""
    if rows.test.empty:
        message = f"there is no held-out row of {use_case.name} to judge on; ingest rows, then promote again"
        return [Check(code="empty", verdict="unknown", message=message)]
    enough = bounded("test_rows", len(rows.test), "the number of held-out rows", minimum=use_case.gate.min_test_rows)
    shared = int(rows.test["_identity"].isin(rows.train["_identity"]).sum())
    overlap = bounded("overlap", shared, "the number of held-out rows that are also rows to train on", maximum=0)
    learned = bounded("train_rows", len(rows.train), "the number of rows to train on that are looked at", minimum=1)
    return [
        c if c.verdict == "pass" else c.model_copy(update={"verdict": "unknown"}) for c in (enough, overlap, learned)
    ]


def _comparable(use_case: UseCase, bundle: Bundle, role: str) -> list[Check]:
    """Whether a model's test rows and classes were those of today; otherwise its answers mean something else."""
    then, now = bundle.contract.lineage, use_case.training.split
    message = f"the {role} never saw the held-out rows"
    split = Check(code=f"split.{role}", verdict="pass", message=message)
    if (then.test_share, then.identity) != (now.test, use_case.identity):
        message = f"the {role} was trained under another split and may have seen the held-out rows"
        split = Check(code=f"split.{role}", verdict="unknown", message=message)
    known = tuple(label.value for label in bundle.contract.output.labels)
    if (bundle.contract.task, known) == (use_case.task, use_case.classes):
        return [split]
    message = f"the {role} was trained for {', '.join(known) or 'a number'}, and the spec now says otherwise"
    return [split, Check(code=f"classes.{role}", verdict="unknown", message=message)]


def _good_enough(
    use_case: UseCase, candidate: Bundle, train: Answered, test: Answered, metrics: Mapping[str, float]
) -> tuple[list[Check], tuple[str, ...]]:
    """What the candidate must show by itself, and what there is to say about the evidence."""
    drawn = draws(use_case.gate.thresholds, test.actual, test.scores, use_case.training.seed)
    checks = [constant(test.scores)]
    checks += [
        beside(check, percentile(drawn[metric]))
        for metric, check in _thresholds(use_case, "threshold", metrics, "on held-out rows").items()
    ]
    notes: tuple[str, ...] = ()
    if candidate.contract.out_of_fold:
        checks += _thresholds(use_case, "out_of_fold", candidate.contract.out_of_fold, "out of fold").values()
        notes += (f"{plain(len(test))} held-out rows are few, so the evidence is repeated out of fold",)
    for more, said in (
        slices.judge(use_case, test.rows, test.actual, test.scores),
        fairness.judge(use_case, test.rows, test.actual, test.scores),
        (behaviour.judge(use_case, candidate, test.rows), ()),
        calibration.judge(use_case, candidate.contract, test.actual, test.scores),
        (generalisation.judge(use_case, train, test), ()),
        leaks.judge(use_case, train, test),
    ):
        checks += more
        notes += said
    return checks, notes


def _thresholds(use_case: UseCase, code: str, metrics: Mapping[str, float], where: str) -> dict[Metric, Check]:
    return {
        name: bounded(f"{code}.{name}", metrics.get(name, math.nan), f"{TITLES[name]} {where}", bound.min, bound.max)
        for name, bound in use_case.gate.thresholds.items()
    }


def _against(
    use_case: UseCase, candidate: Bundle, champion: Bundle, test: Answered
) -> tuple[list[Check], dict[str, float]]:
    """What the comparison with the champion shows, and the champion's metrics."""
    if candidate.model_sha256 == champion.model_sha256:
        message = "the candidate is the champion, to the byte: nothing has changed"
        check = Check(code="unchanged", verdict="fail", message=message)
        return [check], measure(use_case.task, test.actual, test.scores)
    checks = _comparable(use_case, champion, "champion")
    if any(c.verdict != "pass" for c in checks):
        return checks, {}
    theirs = answers(use_case, champion, "champion", test.rows, "held-out rows")
    if isinstance(theirs, Check):
        return [*checks, theirs], {}
    policy, seed = use_case.gate.change, use_case.training.seed
    checks.append(change(policy, use_case.change_metric, test.actual, test.scores, theirs, seed))
    return checks, measure(use_case.task, test.actual, theirs)
