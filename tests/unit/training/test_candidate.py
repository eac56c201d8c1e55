from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.pipeline import Pipeline

from sluice.adapters import bundles, metrics
from sluice.domain.errors import ConversionError
from sluice.domain.measures import Task
from sluice.training import candidate, families, graph, provenance
from sluice.training.search import Attempt
from sluice.training.snapshots import Part, Rows
from tabular.releases import contract as serving
from tests.unit.training.trainings import LINEAGE, Training, attempts_of, make, rows_of, training, use_case_of

TASKS: tuple[Task, ...] = ("regression", "binary", "multiclass")
BEST = Attempt(
    number=3,
    family="hist_gradient_boosting",
    parameters={"max_iter": 40, "learning_rate": 0.1},
    scores=(80.0, 90.0),
    seconds=1.0,
    begun=attempts_of("binary")[0].begun,
    finished=attempts_of("binary")[0].finished,
    state="complete",
)


@pytest.fixture(params=TASKS)
def trained(request: pytest.FixtureRequest) -> Training:
    return training(request.param)


def test_the_bundle_is_whole_and_agrees_with_the_fitted_model(trained: Training) -> None:
    made = trained.candidate
    assert bundles.read(made.bundle.folder) == made.bundle
    assert bundles.parity(made.bundle).holds
    inputs = trained.rows.test.inputs
    said = families.scores(trained.use_case, made.model, inputs)
    np.testing.assert_allclose(bundles.score(made.bundle, inputs), said, rtol=1e-5, atol=1e-8)


def test_the_metrics_are_those_of_the_graph_that_will_be_served(trained: Training) -> None:
    made, rows = trained.candidate, trained.rows
    scored = bundles.score(made.bundle, rows.test.inputs)
    np.testing.assert_array_equal(scored, made.predicted)
    held_out = metrics.measure(trained.use_case.task, rows.test.target, scored)
    assert made.bundle.contract.metrics == held_out
    assert {name: made.metrics[f"test_{name}"] for name in held_out} == held_out
    fitted = metrics.measure(trained.use_case.task, rows.train.target, bundles.score(made.bundle, rows.train.inputs))
    assert {name: made.metrics[f"train_{name}"] for name in fitted} == fitted


def test_the_contract_says_what_the_spec_says(trained: Training) -> None:
    contract, use_case = trained.candidate.bundle.contract, trained.use_case
    assert [i.name for i in contract.inputs] == ["area", "rooms", "lift", "district"]
    area, rooms, _, district = contract.inputs
    assert (area.minimum, area.maximum, area.unit, area.nullable) == (5, 500, "m2", False)
    assert (rooms.type, rooms.nullable) == ("integer", True)
    assert district.categories == ("north", "south", "old town")
    assert (area.sensitive, district.sensitive) == ("hash", None)
    assert (contract.task, contract.family) == (use_case.task, trained.result.best.family)
    assert contract.example == use_case.serving.example
    assert (contract.limits.missing, contract.limits.unseen_category) == ("impute", "ignore")
    assert contract.lineage == LINEAGE
    assert contract.runtime_sha256 == "f" * 64
    assert set(contract.libraries) == set(provenance.LIBRARIES)


def test_the_output_has_a_unit_or_classes_with_the_positive_one_last() -> None:
    number, two, many = (training(task).candidate.bundle.contract.output for task in TASKS)
    assert (number.name, number.unit, number.labels) == ("rent", "EUR", ())
    assert [(label.value, label.title) for label in two.labels] == [("fair", "Fair rent"), ("dear", "Dear")]
    assert two.positive == "dear"
    assert [label.value for label in many.labels] == ["cheap", "fair", "dear"]
    assert many.positive is None


def test_a_number_has_an_interval_and_classes_have_a_set_about_as_sure_as_they_say(trained: Training) -> None:
    contract = trained.candidate.bundle.contract
    promised = contract.interval or contract.prediction_set
    assert (contract.interval is None) == bool(trained.use_case.classes)
    assert (contract.prediction_set is None) != bool(trained.use_case.classes)
    assert promised is not None
    assert promised.level == 0.9
    assert 0.8 < promised.coverage <= 1


def test_the_reference_is_a_bounded_sample_of_scored_train_rows(trained: Training) -> None:
    reference = trained.candidate.bundle.reference()
    assert len(reference) == trained.use_case.monitoring.sample_rows
    assert list(reference) == ["area", "rooms", "lift", "district", "rent", "prediction"]
    said = bundles.score(trained.candidate.bundle, reference)
    if not trained.use_case.classes:
        np.testing.assert_array_equal(said, reference["prediction"])
        assert set(reference["rent"]) <= set(trained.rows.train.target)
        return
    names = np.array(trained.use_case.classes)
    np.testing.assert_array_equal(names[said.argmax(axis=1)], reference["prediction"])
    assert set(reference["rent"]) == set(names)


def test_what_was_said_of_unseen_rows_is_kept_beside_what_was_true(trained: Training) -> None:
    kept = trained.candidate.bundle.unseen()
    assert kept is not None
    rows, use_case = trained.rows, trained.use_case
    assert len(kept) == min(len(rows.calibration) + len(rows.test), use_case.monitoring.sample_rows)
    apart = [(p.target, bundles.score(trained.candidate.bundle, p.inputs)) for p in (rows.calibration, rows.test)]
    known = {(true, *np.atleast_1d(said)) for part in apart for true, said in zip(*part, strict=True)}
    assert {tuple(row) for row in kept.to_numpy()} <= known


def test_the_histograms_are_of_all_scored_train_rows(trained: Training, tmp_path: Path) -> None:
    train = trained.rows.train
    found = trained.candidate.bundle.histograms()
    assert found.rows == len(train) > trained.use_case.monitoring.sample_rows
    assert found.names == ("area", "rooms", "lift", "district", "rent", "prediction")
    assert {found.column(name).values + found.column(name).missing for name in found.names} == {len(train)}
    assert found.column("rooms").missing == train.inputs["rooms"].isna().sum()
    again = make(trained.use_case, trained.rows, trained.result.best, tmp_path, trained.result.choices)
    files = [folder / "histograms.json" for folder in (again.bundle.folder, trained.candidate.bundle.folder)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_serving_reads_the_contract_and_the_golden_rows(trained: Training) -> None:
    folder = trained.candidate.bundle.folder
    assert serving.read(serving.Contract, folder / "contract.json").use_case == "flats"
    assert len(serving.read(serving.Golden, folder / "golden.json").predictions) > 90
    assert serving.read(serving.Manifest, folder / "manifest.json").files


def test_the_same_training_gives_the_same_model_and_other_rows_another(trained: Training, tmp_path: Path) -> None:
    use_case, result = trained.use_case, trained.result
    again = make(use_case, trained.rows, result.best, tmp_path / "again", result.choices)
    assert again.bundle.model_sha256 == trained.candidate.bundle.model_sha256
    other = make(use_case, rows_of(use_case, 600, seed=1), result.best, tmp_path / "other", result.choices)
    assert other.bundle.model_sha256 != trained.candidate.bundle.model_sha256


def test_without_calibration_rows_nothing_is_promised(trained: Training, tmp_path: Path) -> None:
    rows = trained.rows
    none = Rows(rows.train, _some(rows.calibration, 0), rows.test)
    contract = make(trained.use_case, none, trained.result.best, tmp_path).bundle.contract
    assert (contract.interval, contract.prediction_set) == (None, None)


def test_few_rows_are_measured_out_of_folds_too(trained: Training) -> None:
    assert len(trained.rows.train) < candidate.FEW_ROWS
    metric = trained.use_case.search_metric
    out_of_fold = trained.candidate.bundle.contract.out_of_fold
    assert out_of_fold == {
        name.removeprefix("oof_"): value for name, value in trained.candidate.metrics.items() if name.startswith("oof_")
    }
    # No fold's rows were fitted on, so it cannot look better than the train rows do.
    assert out_of_fold[metric] > trained.candidate.metrics[f"train_{metric}"]
    assert out_of_fold[metric] == pytest.approx(trained.candidate.metrics[f"test_{metric}"], rel=0.35)


def test_many_rows_are_not_measured_out_of_folds(tmp_path: Path) -> None:
    use_case = use_case_of("binary")
    rows = rows_of(use_case, 1500)
    assert len(rows.train) >= candidate.FEW_ROWS
    assert make(use_case, rows, attempts_of("binary")[0], tmp_path).bundle.contract.out_of_fold == {}


def test_out_of_fold_rows_are_judged_by_a_model_that_is_calibrated_like_the_one_that_serves(tmp_path: Path) -> None:
    rows = rows_of(use_case_of("binary"), 400)
    # Boosting for long is far too sure of itself, unless it is calibrated.
    best = replace(BEST, parameters={"max_iter": 150, "learning_rate": 0.3, "min_samples_leaf": 2})
    bare, calibrated = (
        make(use_case_of("binary", calibrate=method), rows, best, tmp_path / method).bundle.contract.out_of_fold
        for method in ("none", "sigmoid")
    )
    assert calibrated["log_loss"] < 0.8 * bare["log_loss"]


@pytest.mark.parametrize("calibrate", ["none", "sigmoid", "temperature"])
@pytest.mark.parametrize("family", ["ridge", "hist_gradient_boosting"])
def test_three_classes_on_a_hundred_and_twenty_rows_make_a_release(family: str, calibrate: str, tmp_path: Path) -> None:
    use_case = use_case_of("multiclass", calibrate=calibrate)
    whole = rows_of(use_case, 600)
    rows = Rows(_some(whole.train, 120), _some(whole.calibration, 17), _some(whole.test, 50))
    best = replace(BEST, family=family, parameters={} if family == "ridge" else {"max_iter": 10})
    made = make(use_case, rows, best, tmp_path)
    contract = made.bundle.contract
    assert contract.prediction_set is not None
    assert contract.prediction_set.mean_size >= 1
    assert contract.out_of_fold["accuracy"] > 0.5
    np.testing.assert_allclose(made.predicted.sum(axis=1), 1)


def test_a_class_with_as_few_rows_as_there_are_folds_is_measured_all_the_same(tmp_path: Path) -> None:
    use_case = use_case_of("multiclass", calibrate="sigmoid")
    rows = rows_of(use_case, 600)
    rare = np.flatnonzero(rows.train.target == 2)[use_case.training.folds :]
    kept = np.delete(np.arange(len(rows.train)), rare)
    part = rows.train
    train = Part(part.inputs.iloc[kept].reset_index(drop=True), part.target[kept], part.identity[kept])
    made = make(use_case, Rows(train, rows.calibration, rows.test), replace(BEST, parameters={"max_iter": 5}), tmp_path)
    assert 0 < made.bundle.contract.out_of_fold["balanced_accuracy"] < 1


def test_a_metric_that_cannot_be_told_is_left_out(trained: Training, tmp_path: Path) -> None:
    rows, use_case = trained.rows, trained.use_case
    # Test rows of one kind: nothing varies, and no class can be told from another.
    same = np.flatnonzero(rows.test.target == rows.test.target[0])
    test = Part(rows.test.inputs.iloc[same].reset_index(drop=True), rows.test.target[same], rows.test.identity[same])
    told = make(
        use_case, Rows(rows.train, rows.calibration, test), trained.result.best, tmp_path
    ).bundle.contract.metrics
    assert ("r2" if not use_case.classes else "roc_auc") not in told
    assert all(np.isfinite(value) for value in told.values())


@pytest.mark.parametrize("task", TASKS)
def test_a_graph_that_answers_otherwise_than_its_model_is_never_written(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The graph of a model that was fitted on other rows stands for a writer with a mistake.
    known = training(task)
    other = make(known.use_case, rows_of(known.use_case, 600, seed=1), known.result.best, tmp_path / "other")
    wrong = other.bundle.graph.model
    monkeypatch.setattr(graph, "write", lambda inputs, model: wrong)
    with pytest.raises(ConversionError, match="off by"):
        make(known.use_case, known.rows, known.result.best, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_graph_that_is_wrong_about_missing_values_alone_is_never_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = training("regression")
    by_median, by_mean = (replace(known.result.choices, impute=way) for way in ("median", "mean"))
    # Where nothing is missing the two ways of filling in cannot be told apart.
    rows = Rows(_complete(known.rows.train), known.rows.calibration, _complete(known.rows.test))
    honest = graph.write

    def confused(inputs: list[str], model: Pipeline) -> bytes:
        other = families.assemble(known.use_case, "ridge", known.result.best.parameters, by_mean)
        return honest(inputs, other.fit(rows.train.inputs, rows.train.target))

    monkeypatch.setattr(graph, "write", confused)
    with pytest.raises(ConversionError, match="off by"):
        make(known.use_case, rows, known.result.best, tmp_path / "bundle", by_median)


def _complete(part: Part) -> Part:
    # No rooms at all leave a gap in the area per room.
    full = (part.inputs.notna().all(axis=1) & (part.inputs["rooms"] != 0)).to_numpy()
    return Part(part.inputs[full].reset_index(drop=True), part.target[full], part.identity[full])


def _some(part: Part, count: int) -> Part:
    return Part(part.inputs.head(count), part.target[:count], part.identity[:count])
