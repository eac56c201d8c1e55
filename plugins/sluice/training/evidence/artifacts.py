"""Artifacts: the files that a training leaves with its run."""

from __future__ import annotations

import csv
import json
import shutil
import warnings
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow.models import Model

from sluice.adapters.tracking import BUNDLE_PATH
from sluice.domain.contract import MANIFEST
from sluice.training.candidate import Candidate
from sluice.training.choices import Findings
from sluice.training.evidence import plots
from sluice.training.evidence.importance import Importances
from sluice.training.evidence.learning import LearningCurve
from sluice.training.evidence.plots import behaviour, findings, trials
from sluice.training.evidence.plots.canvas import plain_text
from sluice.training.search import SearchResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write(
    folder: Path, candidate: Candidate, result: SearchResult, curve: LearningCurve, importances: Importances
) -> None:
    """Write everything into an empty folder.

    Args:
        folder: Where to.
        candidate: What was made.
        result: How it was found.
        curve: What more rows are worth.
        importances: What the inputs are worth.
    """
    _write_model(folder / BUNDLE_PATH, candidate)
    _write_estimator(folder / "model.skops", candidate)
    (folder / "best_params.json").write_text(json.dumps(_best(candidate, result), indent=2) + "\n", encoding="utf-8")
    (folder / "use_case.json").write_text(candidate.use_case.model_dump_json(indent=2) + "\n", encoding="utf-8")
    _write_tables(folder, result, curve, importances)
    drawn = folder / "plots"
    drawn.mkdir()
    for name, figure in _figures(candidate, result, curve, importances):
        plain_text(figure)
        figure.savefig(drawn / f"{name}.png")


def _figures(
    candidate: Candidate, result: SearchResult, curve: LearningCurve, importances: Importances
) -> Iterable[tuple[str, Figure]]:
    use_case = candidate.use_case
    yield from plots.answers(candidate)
    yield from trials.draw(use_case, result)
    yield from findings.draw(result.findings)
    yield "learning_curve", behaviour.learning(use_case, curve)
    yield "importance", behaviour.importance(use_case, importances)


def _best(candidate: Candidate, result: SearchResult) -> dict[str, object]:
    """What is fitted without a search: all that the spec leaves open."""
    return {
        "family": result.best.family,
        "parameters": result.best.parameters,
        "impute": result.choices.impute,
        "clusters": result.choices.clusters,
        "seed": candidate.use_case.training.seed,
    }


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
    for name in (*candidate.bundle.manifest.files, MANIFEST):
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


def _write_tables(folder: Path, result: SearchResult, curve: LearningCurve, importances: Importances) -> None:
    heads = ["number", "family", "state", "mean", "std", "begun", "finished", "seconds", "scores", "parameters"]
    _write_table(folder / "trials.csv", heads, _trials(result))
    points = ((p.rows, fold, *s) for p in curve.points for fold, s in enumerate(zip(p.fitted, p.unseen, strict=True)))
    metric = curve.metric
    _write_table(folder / "learning_curve.csv", ["rows", "fold", f"fitted_{metric}", f"unseen_{metric}"], points)
    worth = ((i.name, i.mean, i.deviation) for i in importances.inputs)
    _write_table(folder / "importance.csv", ["input", f"added_{importances.metric}", "std"], worth)
    if result.findings.overall:
        _write_table(folder / "imputation.csv", ["way", "column", "error", "chosen"], _imputations(result.findings))
    if result.findings.silhouettes:
        _write_table(
            folder / "silhouettes.csv", ["clusters", "k", "silhouette", "chosen"], _silhouettes(result.findings)
        )


def _trials(result: SearchResult) -> Iterable[Sequence[object]]:
    for a in result.attempts:
        times = (a.begun.isoformat(), a.finished.isoformat(), round(a.seconds, 3))
        yield a.number, a.family, a.state, a.mean, a.deviation, *times, json.dumps(a.scores), json.dumps(a.parameters)


def _imputations(findings: Findings) -> Iterable[Sequence[object]]:
    """The error of each way in each column, and over all of them."""
    for way, overall in findings.overall.items():
        is_chosen = way == findings.choices.impute
        yield way, "all columns", overall, is_chosen
        for column, error in findings.imputations[way].items():
            yield way, column, error, is_chosen


def _silhouettes(findings: Findings) -> Iterable[Sequence[object]]:
    for name, silhouettes in findings.silhouettes.items():
        for k, silhouette in silhouettes.items():
            yield name, k, silhouette, k == findings.choices.clusters[name]


def _write_table(path: Path, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(heads)
        table.writerows(rows)
