"""The journal: one MLflow run per training, with everything a person needs to follow or repeat it."""

from __future__ import annotations

import csv
import json
import logging
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.exceptions import MlflowException, RestException
from mlflow.models import Model
from mlflow.utils.git_utils import get_git_commit

from sluice.adapters.tracking import BUNDLE_PATH, Tracking
from sluice.domain.contract import BUNDLE_FILES, MANIFEST, Lineage
from sluice.domain.use_case import UseCase
from sluice.training import plots
from sluice.training.candidate import Candidate
from sluice.training.search import SearchResult
from sluice.training.snapshots import Snapshot

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A training's run while it is being written.

    Attributes:
        tracking: The server it is written to.
        lineage: Where the model comes from, for its contract.
    """

    tracking: Tracking
    lineage: Lineage

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.lineage.run_id

    def write(self, candidate: Candidate, snapshot: Snapshot, result: SearchResult) -> None:
        """Log a candidate: parameters, metrics, data set, plots, trials, the bundle and the estimator.

        Args:
            candidate: What was made.
            snapshot: What it was made from.
            result: How it was found.
        """
        client = self.tracking.client
        with self.tracking.answers(), tempfile.TemporaryDirectory(prefix="sluice-run-") as folder:
            client.log_inputs(self.run_id, [_data_set(candidate.use_case, snapshot)])
            client.log_batch(
                self.run_id,
                metrics=_metrics(candidate, result),
                params=[Param(k, str(v)) for k, v in _parameters(candidate.use_case, snapshot, result).items()],
            )
            _write_artifacts(Path(folder), candidate, result)
            client.log_artifacts(self.run_id, folder)
            client.set_tag(self.run_id, "bundle_sha256", candidate.bundle.sha256)
            client.set_tag(self.run_id, "model_sha256", candidate.bundle.model_sha256)


@contextmanager
def begin(tracking: Tracking, use_case: UseCase, snapshot: Snapshot) -> Iterator[Entry]:
    """A new run that ends as finished when the block ends well, and as failed when it does not.

    Args:
        tracking: The MLflow server.
        use_case: Names the experiment.
        snapshot: What is trained on.
    """
    lineage_tags = {"snapshot_id": snapshot.snapshot_id, "spec_sha256": use_case.sha256()}
    commit = get_git_commit(str(Path(__file__)))
    client = tracking.client
    with tracking.answers():
        run = client.create_run(
            _experiment(tracking, use_case.name),
            run_name=f"{use_case.name} {snapshot.snapshot_id}",
            tags=lineage_tags
            | {"mlflow.note.content": f"Trained on {snapshot.note}."}
            | ({"mlflow.source.git.commit": commit} if commit else {}),
        )
    run_id = run.info.run_id
    lineage = Lineage(
        run_id=run_id,
        snapshot_id=snapshot.snapshot_id,
        spec_sha256=use_case.sha256(),
        test_share=use_case.training.split.test,
        identity=use_case.identity,
        git_commit=commit,
    )
    try:
        yield Entry(tracking, lineage)
        with tracking.answers():
            client.set_terminated(run_id, "FINISHED")
    # Whatever ended the block, also a task that is stopped: the run must not look as if it went on.
    except BaseException:
        _fail(tracking, run_id)
        raise


def _fail(tracking: Tracking, run_id: str) -> None:
    try:
        tracking.client.set_terminated(run_id, "FAILED")
    except MlflowException as error:
        log.warning("run %s could not be marked as failed: %s", run_id, error)


def _experiment(tracking: Tracking, name: str) -> str:
    known = tracking.client.get_experiment_by_name(name)
    if known is None:
        try:
            return str(tracking.client.create_experiment(name))
        except RestException as error:
            # Another training of the same use case was first.
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            known = tracking.client.get_experiment_by_name(name)
    return str(known.experiment_id)


def _data_set(use_case: UseCase, snapshot: Snapshot) -> DatasetInput:
    columns = [{"name": c.name, "type": c.type, "required": not c.nullable} for c in use_case.columns]
    scheme = urlsplit(snapshot.uri).scheme
    data = Dataset(
        name=use_case.name,
        digest=snapshot.snapshot_id,
        source_type="local" if scheme in ("", "file") else scheme,
        source=json.dumps({"uri": snapshot.uri}),
        schema=json.dumps({"columns": columns}),
        profile=json.dumps({"num_rows": snapshot.rows, "available_rows": snapshot.available_rows}),
    )
    return DatasetInput(data, [InputTag("mlflow.data.context", "training")])


def _metrics(candidate: Candidate, result: SearchResult) -> list[Metric]:
    numbers = {
        f"cv_{result.metric}_mean": result.best.mean,
        f"cv_{result.metric}_std": result.best.deviation,
        "search_seconds": sum(attempt.seconds for attempt in result.attempts),
        **candidate.metrics,
    }
    interval = candidate.bundle.contract.interval
    if interval is not None:
        numbers |= {"interval_half_width": interval.half_width, "interval_coverage": interval.coverage}
    now = int(time.time() * 1000)
    return [Metric(name, value, now, 0) for name, value in numbers.items()]


def _parameters(use_case: UseCase, snapshot: Snapshot, result: SearchResult) -> dict[str, object]:
    return {
        "family": result.best.family,
        **result.best.parameters,
        "seed": use_case.training.seed,
        "folds": use_case.training.folds,
        "trials": len(result.attempts),
        "target_transform": use_case.training.target_transform,
        "study": result.study,
        "snapshot_id": snapshot.snapshot_id,
        "spec_sha256": use_case.sha256(),
        "train_rows": snapshot.train_rows,
        "calibration_rows": snapshot.calibration_rows,
        "test_rows": snapshot.test_rows,
    }


def _write_artifacts(folder: Path, candidate: Candidate, result: SearchResult) -> None:
    _write_model(folder / BUNDLE_PATH, candidate)
    _write_estimator(folder / "model.skops", candidate)
    best = {"family": result.best.family, "parameters": result.best.parameters}
    (folder / "best_params.json").write_text(json.dumps(best, indent=2) + "\n", encoding="utf-8")
    (folder / "use_case.json").write_text(candidate.use_case.model_dump_json(indent=2) + "\n", encoding="utf-8")
    _write_trials(folder / "trials.csv", result)
    drawn = folder / "plots"
    drawn.mkdir()
    for name, figure in plots.draw(candidate, result):
        figure.savefig(drawn / f"{name}.png")


def _write_estimator(path: Path, candidate: Candidate) -> None:
    """The fitted pipeline for analysis; nothing that serves reads it."""
    with warnings.catch_warnings():
        # Imported here: skops looks every function of scipy up in every loaded module, and Airflow's have
        # a thousand deprecated names, each a warning that is logged.
        warnings.simplefilter("ignore")
        import skops.io
    skops.io.dump(candidate.model, path)


def _write_model(folder: Path, candidate: Candidate) -> None:
    """The bundle as a folder that MLflow's ONNX flavour loads."""
    folder.mkdir()
    for name in (*BUNDLE_FILES, MANIFEST):
        shutil.copyfile(candidate.bundle.folder / name, folder / name)
    # Not by `mlflow.onnx.save_model`: it may rewrite the graph, and imports every other flavour's code.
    model = Model()
    model.add_flavor(
        "onnx",
        onnx_version=version("onnx"),
        data="model.onnx",
        providers=["CPUExecutionProvider"],
        onnx_session_options=None,
        code=None,
    )
    model.save(str(folder / "MLmodel"))


def _write_trials(path: Path, result: SearchResult) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["number", "family", "mean", "std", "pruned", "seconds", "scores", "parameters"])
        for a in result.attempts:
            scores, parameters = json.dumps(a.scores), json.dumps(a.parameters)
            table.writerow([a.number, a.family, a.mean, a.deviation, a.pruned, round(a.seconds, 3), scores, parameters])
