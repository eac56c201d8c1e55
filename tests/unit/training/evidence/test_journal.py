"""The journal on a real MLflow server."""

from __future__ import annotations

import csv
import io
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.image
import mlflow.artifacts
import mlflow.onnx
import pytest

from sluice.adapters import bundles
from sluice.adapters.tracking import BUNDLE_PATH, Tracking
from sluice.domain.errors import StateError, TransientError
from sluice.domain.measures import Task
from sluice.domain.use_case import UseCase
from sluice.training import candidate, provenance
from sluice.training.candidate import Candidate
from sluice.training.evidence import journal, stages
from sluice.training.search import Attempt
from tests.bentos.servers import Mlflow
from tests.unit.training.trainings import BEGUN, Training, attempts_of, training

TASKS: tuple[Task, ...] = ("regression", "binary", "multiclass")


class Written:
    """A training as it can be read back."""

    def __init__(self, tracking: Tracking, known: Training, made: Candidate, run_id: str) -> None:
        self.tracking, self.known, self.made, self.run_id = tracking, known, made, run_id
        self.run = tracking.client.get_run(run_id)

    def below(self, run_id: str) -> dict[str, Any]:
        """The runs nested in a run, by name."""
        nested = f"tags.mlflow.parentRunId = '{run_id}'"
        runs = self.tracking.client.search_runs([self.run.info.experiment_id], nested, max_results=1000)
        return {run.info.run_name: run for run in runs}

    def steps(self, run: Any, metric: str) -> dict[int, float]:
        """What was measured at each step."""
        return {m.step: m.value for m in self.tracking.client.get_metric_history(run.info.run_id, metric)}

    def artifact(self, path: str) -> Path:
        """A local copy of a file."""
        address = {"run_id": self.run_id, "artifact_path": path, "tracking_uri": self.tracking.uri}
        return Path(mlflow.artifacts.download_artifacts(**address))

    def table(self, path: str) -> list[dict[str, str]]:
        """A CSV file's rows."""
        return list(csv.DictReader(io.StringIO(self.artifact(path).read_text(encoding="utf-8"))))


@pytest.fixture(scope="module")
def tracking(registry: Mlflow) -> Tracking:
    return Tracking(registry.url)


@pytest.fixture(scope="module", params=TASKS)
def written(request: pytest.FixtureRequest, tracking: Tracking, tmp_path_factory: pytest.TempPathFactory) -> Written:
    known = training(request.param)
    with journal.begin(tracking, known.use_case, known.snapshot, BEGUN) as entry:
        result, folder = known.result, tmp_path_factory.mktemp("bundle")
        made = candidate.make(known.use_case, known.rows, result.choices, result.best, entry.lineage, "f" * 64, folder)
        entry.write(made, known.snapshot, result)
    return Written(tracking, known, made, entry.run_id)


def test_the_run_is_finished_and_says_what_was_trained_on_what(written: Written) -> None:
    run, known = written.run, written.known
    assert run.info.status == "FINISHED"
    assert run.info.start_time == BEGUN.timestamp() * 1000
    assert run.data.params["family"] == known.result.best.family
    assert run.data.params["seed"] == "3"
    assert run.data.params["impute"] == known.result.choices.impute
    assert run.data.params["clusters_size"] == str(known.result.choices.clusters["size"])
    parameters = known.result.best.parameters
    assert {k: run.data.params[k] for k in parameters} == {k: str(v) for k, v in parameters.items()}
    assert run.data.tags["snapshot_id"] == known.snapshot.snapshot_id
    assert run.data.tags["spec_sha256"] == known.use_case.sha256()
    assert run.data.tags["code_sha256"] == provenance.code_sha256()
    assert run.data.tags["bundle_sha256"] == written.made.bundle.sha256
    assert run.data.tags["model_sha256"] == written.made.bundle.model_sha256
    assert run.data.tags["mlflow.note.content"].startswith("Trained on a sample of 600 of 1000")


def test_the_contract_names_the_run_and_the_code(written: Written) -> None:
    lineage = written.made.bundle.contract.lineage
    assert lineage.run_id == written.run_id
    assert lineage.code_sha256 == provenance.code_sha256()
    assert lineage.git_commit == written.run.data.tags.get("mlflow.source.git.commit")


def test_the_numbers_are_those_of_the_search_and_the_candidate(written: Written) -> None:
    numbers, result = written.run.data.metrics, written.known.result
    assert numbers[f"cv_{result.metric}_mean"] == result.best.mean
    assert {k: v for k, v in numbers.items() if k.startswith(("train_", "test_", "oof_"))} == written.made.metrics
    contract = written.made.bundle.contract
    if contract.interval is not None:
        assert numbers["interval_coverage"] == contract.interval.coverage
    if contract.prediction_set is not None:
        assert numbers["set_coverage"] == contract.prediction_set.coverage
        assert numbers["set_mean_size"] == contract.prediction_set.mean_size


def test_the_data_set_is_referred_to_by_its_content(written: Written) -> None:
    (used,) = written.run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("flats", written.known.snapshot.snapshot_id)
    assert json.loads(used.dataset.source) == {"uri": written.known.snapshot.uri}


def test_the_bundle_can_be_read_back_as_it_was_made(written: Written) -> None:
    folder = written.artifact(BUNDLE_PATH)
    assert bundles.read(folder).sha256 == written.made.bundle.sha256
    assert mlflow.onnx.load_model(str(folder)).graph.output[0].name == "prediction"


def test_the_estimator_is_kept_beside_the_bundle_and_without_pickle(written: Written) -> None:
    # Loaded by the journal already; by itself it trips over Airflow's deprecated names.
    import skops.io

    path = written.artifact("model.skops")
    own = skops.io.get_untrusted_types(file=path)
    assert all(name.startswith(("sluice.training.", "numpy.", "sklearn.")) for name in own), own
    model = skops.io.load(path, trusted=own)
    inputs = written.known.rows.test.inputs
    assert model.predict(inputs).tolist() == written.made.model.predict(inputs).tolist()


def test_the_model_can_be_made_again_from_what_is_kept(written: Written, tmp_path: Path) -> None:
    use_case = UseCase.model_validate_json(written.artifact("use_case.json").read_text(encoding="utf-8"))
    assert use_case == written.known.use_case
    kept = json.loads(written.artifact("best_params.json").read_text(encoding="utf-8"))
    assert kept["seed"] == 3
    best = replace(written.known.result.best, family=kept["family"], parameters=kept["parameters"])
    choices = replace(written.known.result.choices, impute=kept["impute"], clusters=kept["clusters"])
    lineage = written.made.bundle.contract.lineage
    again = candidate.make(use_case, written.known.rows, choices, best, lineage, "f" * 64, tmp_path)
    assert again.bundle.model_sha256 == written.made.bundle.model_sha256


def test_the_tables_hold_what_was_tried_and_measured(written: Written) -> None:
    result, findings = written.known.result, written.known.result.findings
    trials = written.table("trials.csv")
    assert [json.loads(t["parameters"]) for t in trials] == [a.parameters for a in result.attempts]
    assert [tuple(json.loads(t["scores"])) for t in trials] == [a.scores for a in result.attempts]
    assert [t["state"] for t in trials] == [a.state for a in result.attempts]
    imputation = written.table("imputation.csv")
    overall = {r["way"]: float(r["error"]) for r in imputation if r["column"] == "all columns"}
    assert overall == findings.overall
    assert {r["way"] for r in imputation if r["chosen"] == "True"} == {findings.choices.impute}
    silhouettes = {int(r["k"]): float(r["silhouette"]) for r in written.table("silhouettes.csv")}
    assert silhouettes == findings.silhouettes["size"]
    assert written.table("importance.csv")[0]["input"] == "area"
    assert len(written.table("learning_curve.csv")) == 9


def test_every_plot_is_a_picture_of_one_width(written: Written) -> None:
    pictures = {path.name: matplotlib.image.imread(path) for path in written.artifact("plots").iterdir()}
    both = {"search", "folds", "parallel_coordinates", "parameter_importance", "imputation", "silhouette_size"}
    both |= {"learning_curve", "importance"}
    own = {"confusion", "roc", "precision_recall", "calibration"}
    if written.known.use_case.task == "regression":
        own = {"predicted_vs_actual", "residuals", "residuals_vs_predicted"}
    assert set(pictures) == {f"{name}.png" for name in both | own}
    for picture in pictures.values():
        assert picture.shape[1] == 700
        # Something is drawn on the paper.
        assert picture[..., :3].std() > 0.01


def test_each_stage_is_a_nested_run_that_is_over(written: Written) -> None:
    below = written.below(written.run_id)
    assert set(below) == {"features", "search", "fit", "evaluation"}
    assert {run.info.status for run in below.values()} == {"FINISHED"}
    assert all(run.info.start_time <= run.info.end_time for run in below.values())
    assert below["fit"].data.metrics == written.made.metrics
    assert below["fit"].data.params["family"] == written.known.result.best.family


def test_the_features_run_holds_what_the_choices_rest_on(written: Written) -> None:
    run, findings = written.below(written.run_id)["features"], written.known.result.findings
    assert run.data.params == {
        "impute": findings.choices.impute,
        "clusters_size": str(findings.choices.clusters["size"]),
    }
    assert written.steps(run, "silhouette_size") == pytest.approx(findings.silhouettes["size"])
    ways = {name.removeprefix("impute_"): v for name, v in run.data.metrics.items() if name.startswith("impute_")}
    assert ways == pytest.approx(findings.overall)
    assert findings.notes[0] in run.data.tags["mlflow.note.content"]


def test_the_evaluation_run_holds_the_learning_curve_and_what_each_input_is_worth(written: Written) -> None:
    run = written.below(written.run_id)["evaluation"]
    metric = run.data.params["learning_metric"]
    curve = written.table("learning_curve.csv")
    assert sorted(written.steps(run, f"learning_{metric}_unseen")) == sorted({int(r["rows"]) for r in curve})
    worth = {r["input"]: float(r[f"added_{metric}"]) for r in written.table("importance.csv")}
    assert {k.removeprefix("importance_"): v for k, v in run.data.metrics.items() if "importance" in k} == worth


def test_each_trial_is_a_run_below_the_search_with_its_own_times_and_state(written: Written) -> None:
    result = written.known.result
    search = written.below(written.run_id)["search"]
    trials = written.below(search.info.run_id)
    assert len(trials) == len(result.attempts)
    for attempt in result.attempts:
        run = trials[f"trial {attempt.number} {attempt.family}"]
        assert run.info.start_time == attempt.begun.timestamp() * 1000
        assert run.info.end_time == attempt.finished.timestamp() * 1000
        assert run.info.status == {"complete": "FINISHED", "pruned": "KILLED"}[attempt.state]
        assert run.data.tags["state"] == attempt.state
        assert run.data.tags["best"] == ("true" if attempt == result.best else "false")
        assert {k: run.data.params[k] for k in attempt.parameters} == {k: str(v) for k, v in attempt.parameters.items()}
        assert run.data.metrics[f"cv_{result.metric}_mean"] == attempt.mean
        assert run.data.metrics[f"cv_{result.metric}_std"] == attempt.deviation
        assert tuple(written.steps(run, result.metric).values()) == attempt.scores
    assert search.info.start_time == result.attempts[0].begun.timestamp() * 1000
    assert search.info.end_time == result.attempts[-1].finished.timestamp() * 1000
    best = written.steps(search, f"best_{result.metric}")
    assert best[result.best.number] == min(best.values()) == result.best.mean


def test_thirty_trials_are_written_in_a_few_seconds(tracking: Tracking) -> None:
    known = training("regression")
    attempts = attempts_of("regression", 30)
    experiment = tracking.client.create_experiment("thirty-trials")
    run = tracking.client.create_run(experiment)
    begun = time.monotonic()
    stages.write_search(
        stages.Parent(tracking, experiment, run.info.run_id), replace(known.result, attempts=attempts, best=attempts[8])
    )
    assert time.monotonic() - begun < 15
    assert len(tracking.client.search_runs([experiment])) == 32


def test_a_trial_that_cannot_be_written_leaves_no_run_that_seems_to_go_on(tracking: Tracking) -> None:
    known = training("regression")
    # MLflow takes no parameter of such a name.
    broken: tuple[Attempt, ...] = (replace(known.result.best, parameters={"no|name\n": 1.0}),)
    experiment = tracking.client.create_experiment("broken-trial")
    parent = stages.Parent(tracking, experiment, tracking.client.create_run(experiment).info.run_id)
    with pytest.raises(StateError, match="refuses"):
        stages.write_search(parent, replace(known.result, attempts=(*known.result.attempts[:3], *broken)))
    states = {
        run.info.run_name: run.info.status
        for run in tracking.client.search_runs([experiment])
        if run.info.run_id != parent.run_id
    }
    assert states["search"] == "FAILED"
    assert states["trial 8 ridge"] == "FAILED"
    assert "RUNNING" not in states.values()


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt()], ids=["error", "stopped"])
def test_a_training_that_ends_early_is_a_failed_run(tracking: Tracking, error: BaseException) -> None:
    known, seen = training("regression"), []

    def train() -> None:
        with journal.begin(tracking, known.use_case, known.snapshot) as entry:
            seen.append(entry.run_id)
            raise error

    with pytest.raises(type(error)):
        train()
    assert tracking.client.get_run(seen[0]).info.status == "FAILED"


def test_a_server_that_does_not_answer_may_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    known = training("regression")
    with pytest.raises(TransientError), journal.begin(Tracking("http://127.0.0.1:1"), known.use_case, known.snapshot):
        pass
