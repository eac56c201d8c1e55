from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from sluice.domain.measures import TITLES, Metric, Task
from sluice.training import provenance
from sluice.training.evidence import card
from tests.unit.training.trainings import LINEAGE, scored, training

TASKS: tuple[Task, ...] = ("regression", "binary", "multiclass")


def described(task: Task) -> str:
    known = training(task)
    return card.description(known.candidate, known.snapshot, known.result)


@pytest.mark.parametrize("task", TASKS)
def test_programs_find_a_version_by_what_it_was_made_from(task: Task) -> None:
    known = training(task)
    bundle = known.candidate.bundle
    assert card.tags(known.candidate, known.result, "more rows") == {
        "bundle_sha256": bundle.sha256,
        "model_sha256": bundle.model_sha256,
        "runtime_sha256": "f" * 64,
        "snapshot_id": LINEAGE.snapshot_id,
        "spec_sha256": LINEAGE.spec_sha256,
        "code_sha256": "c" * 64,
        "trials": "14",
        "task": task,
        "family": known.result.best.family,
        "reason": "more rows",
    }
    assert card.tags(known.candidate, known.result, None)["reason"] == "none given"


def test_the_tags_are_those_that_a_training_is_recognised_by() -> None:
    known = training("regression")
    looked_for = provenance.tags(known.use_case, "snapshot", "runtime")
    assert looked_for.keys() <= card.tags(known.candidate, known.result, None).keys()


def test_it_says_why_this_model_and_who_came_second() -> None:
    text = described("regression")
    assert "**Flats**: ridge (`alpha` = 0.6976), trial 8, the best of 14 trials by RMSE over 3 folds: 1" in text
    assert "| ridge | 1 ± 0.0816 | 10 | 3 |\n| hist gradient boosting | 2.1 ± 0.0816 | 4 | 0 |" in text


def test_the_best_of_a_metric_of_which_more_is_better_is_the_highest() -> None:
    result = scored("r2", training("regression").result)
    assert [(family, a.number) for family, a in card.by_family(result).items()] == [
        ("ridge", 8),
        ("hist_gradient_boosting", 9),
    ]


@pytest.mark.parametrize("task", TASKS)
def test_it_says_on_what_data_and_which_classes(task: Task) -> None:
    known, text = training(task), described(task)
    assert f"Snapshot `{known.snapshot.snapshot_id}`, a sample of 600 of 1000 validated rows" in text
    assert f"{known.snapshot.train_rows} to fit (" in text
    assert ("Classes: `Fair rent`, `Dear`." in text) == (task == "binary")


@pytest.mark.parametrize("task", TASKS)
def test_it_holds_every_metric_on_held_out_rows_out_of_folds_and_on_train_rows(task: Task) -> None:
    known, text = training(task), described(task)
    assert "| metric | held out | out of folds | train rows |" in text
    for name in known.candidate.bundle.contract.metrics:
        assert f"\n| {TITLES[cast('Metric', name)]} |" in text


def test_it_says_what_is_promised_of_a_new_row() -> None:
    number, two = training("regression").candidate.bundle.contract, training("binary").candidate.bundle.contract
    assert number.interval is not None
    assert f"it covered {number.interval.coverage:.1%} of the held-out rows" in described("regression")
    assert "1 + prediction divided and multiplied by 1." in described("regression")
    held = two.prediction_set
    assert held is not None
    told = f"{held.coverage:.1%} of the held-out rows, with {held.mean_size:.2f} classes on average"
    assert told in described("binary")


def test_it_says_where_nothing_is_promised() -> None:
    known = training("binary")
    bundle = known.candidate.bundle
    bare = replace(bundle, contract=bundle.contract.model_copy(update={"prediction_set": None}))
    text = card.description(replace(known.candidate, bundle=bare), known.snapshot, known.result)
    assert "too few calibration rows" in text


@pytest.mark.parametrize("task", TASKS)
def test_it_says_how_features_were_made(task: Task) -> None:
    known, text = training(task), described(task)
    for line in known.result.findings.notes:
        assert f"- {line}" in text
    assert "- made of other columns: `area_per_room`" in text
    assert "- unseen categories: ignore" in text
    assert ("- calibration of the probabilities: none" in text) == (task != "regression")
    assert ("- target: fitted on log(1 + target)" in text) == (task == "regression")


def test_it_says_where_it_comes_from_and_how_to_repeat_it() -> None:
    known, text = training("binary"), described("binary")
    assert f"run `{LINEAGE.run_id}`" in text
    assert f"code `{'c' * 12}`, commit `unknown`" in text
    assert known.snapshot.uri in text
    assert f"Trigger `flats_train` with `snapshot` = `{known.snapshot.snapshot_id}` and `again`" in text
    assert known.candidate.bundle.model_sha256[:12] in text


def test_the_registrys_database_can_hold_what_is_said_of_a_wide_use_case() -> None:
    known = training("regression")
    long = "a_column_of_a_rather_long_name_indeed_"
    wide = known.use_case.training.split.model_copy(update={"identity": tuple(f"{long}{i}" for i in range(300))})
    split = known.use_case.training.model_copy(update={"split": wide})
    candidate = replace(known.candidate, use_case=known.use_case.model_copy(update={"training": split}))

    text = card.description(candidate, known.snapshot, known.result)

    assert len(text) <= 5_000
    assert "and 288 more" in text
    endless = replace(known.result, findings=replace(known.result.findings, notes=("a note",) * 1_000))
    assert len(card.description(known.candidate, known.snapshot, endless)) <= 5_000
